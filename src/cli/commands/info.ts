import type { Support } from '../../index.ts';
import { type Command, parseStrictly, wantsJson } from '../command.ts';

export const infoCommand: Command = {
  summary: 'Tell what this host can do for containers, and why not',
  usage: 'info [--format json]',

  async run({ args, io, openRuntime }) {
    const { values } = parseStrictly(args, { format: { type: 'string' } });
    const json = wantsJson(values.format);
    const runtime = await openRuntime();
    const info = await runtime.info();
    if (json) {
      io.stdout.write(`${JSON.stringify(info, null, 2)}\n`);
      return 0;
    }
    const { host } = info;
    const supports = Object.entries(host).filter(
      (entry): entry is [string, Support] =>
        typeof entry[1] === 'object' && entry[1] !== null && 'supported' in entry[1],
    );
    const lines: [string, string][] = [
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
    ];
    io.stdout.write(lines.map(([name, value]) => `${`${name}:`.padEnd(26)}${value}\n`).join(''));
    return 0;
  },
};
