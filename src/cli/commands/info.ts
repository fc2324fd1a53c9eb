import { release } from 'node:os';
import { packageVersion } from '../../base/package-version.ts';
import type { RuntimeInfo, Support } from '../../index.ts';
import { defineCommand } from '../command.ts';
import { valueFormat, valuePrinter } from '../output/values.ts';

export const infoCommand = defineCommand({
  name: 'info',
  summary: 'Tell what this host can do for containers, and why not',
  operands: { usage: '', min: 0, max: 0 },
  options: valueFormat,
  async run({ values, io, openRuntime }) {
    const print = valuePrinter(values.format) ?? ((info) => describe(info as RuntimeInfo));
    const runtime = await openRuntime();
    io.stdout.write(print(await runtime.info()));
    return 0;
  },
});

export const versionCommand = defineCommand({
  name: 'version',
  summary: 'Tell the versions of hako and of what it runs on',
  operands: { usage: '', min: 0, max: 0 },
  options: valueFormat,
  async run({ values, io }) {
    const print = valuePrinter(values.format);
    const versions = {
      hako: packageVersion(),
      node: process.versions.node,
      kernel: release(),
      architecture: process.arch,
    };
    io.stdout.write(print === undefined ? lines(Object.entries(versions), 14) : print(versions));
    return 0;
  },
});

function describe(info: RuntimeInfo): string {
  const { host } = info;
  const supports = Object.entries(host).filter(
    (entry): entry is [string, Support] => typeof entry[1] === 'object' && entry[1] !== null && 'supported' in entry[1],
  );
  return lines(
    [
      ['hako', info.version],
      ['root', info.root],
      ['kernel', `${host.kernel} ${host.architecture}`],
      ['user', `${host.uid}:${host.gid}`],
      ['default mode', info.defaults.mode],
      ['default storage', info.defaults.storage],
      ['default log', info.defaults.log],
      ['cgroups', host.cgroup.layout],
      ...Object.keys(host.cgroup.controllers).map((name): [string, string] => [`  ${name}`, 'yes']),
      ...Object.entries(host.cgroup.missing).map(([name, reason]): [string, string] => [`  ${name}`, `no: ${reason}`]),
      ...supports.map(([name, support]): [string, string] => [
        name,
        support.supported ? 'yes' : `no: ${support.reason}${'remedy' in support ? `; ${support.remedy}` : ''}`,
      ]),
      ...info.plugins.map(({ kind, id, probe }): [string, string] => [
        `plugin ${kind}/${id}`,
        probe.supported ? 'yes' : `no: ${probe.reason}`,
      ]),
      ...info.quarantined.map(({ kind, id, reason }): [string, string] => [`put aside: ${kind} ${id}`, reason]),
    ],
    26,
  );
}

function lines(entries: readonly (readonly [string, string])[], width: number): string {
  return entries.map(([name, value]) => `${`${name}:`.padEnd(width - 1)} ${value}\n`).join('');
}
