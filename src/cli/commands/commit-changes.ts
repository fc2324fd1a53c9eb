import { HakoError } from '../../base/errors.ts';
import type { ContainerDefaults } from '../../index.ts';
import { splitPair } from '../values.ts';

type Changes = Partial<ContainerDefaults>;

/** What each instruction that makes sense for a finished root says of an image; those that add go on from what came before. */
const instructions: Readonly<Record<string, (rest: string, before: Changes) => Changes>> = {
  CMD: (rest) => ({ cmd: words(rest) }),
  ENTRYPOINT: (rest) => ({ entrypoint: words(rest) }),
  ENV: (rest, { env = [] }) => ({ env: [...env, pair('ENV', rest).join('=')] }),
  EXPOSE: (rest, { exposedPorts = [] }) => ({
    exposedPorts: [...exposedPorts, ...rest.split(/\s+/).map((port) => (port.includes('/') ? port : `${port}/tcp`))],
  }),
  LABEL: (rest, { labels = {} }) => ({ labels: { ...labels, ...Object.fromEntries([pair('LABEL', rest)]) } }),
  ONBUILD: (rest, { onBuild = [] }) => ({ onBuild: [...onBuild, rest] }),
  STOPSIGNAL: (rest) => ({ stopSignal: rest }),
  USER: (rest) => ({ user: rest }),
  VOLUME: (rest, { volumes = [] }) => ({ volumes: [...volumes, ...(list(rest) ?? rest.split(/\s+/))] }),
  WORKDIR: (rest) => ({ workingDir: rest }),
};

/** Instructions of a Dockerfile, as `docker commit --change` takes them. @throws HakoError `HAKO_ERR_INVALID_OPTION` */
export function parseChanges(changes: readonly string[]): Changes {
  const changed: Changes = {};
  for (const change of changes) {
    const [, name = '', rest = ''] = /^\s*(\S+)\s+(.*?)\s*$/s.exec(change) ?? [];
    const instruction = Object.hasOwn(instructions, name.toUpperCase()) ? instructions[name.toUpperCase()] : undefined;
    if (instruction === undefined || rest === '')
      throw new HakoError(
        'INVALID_OPTION',
        `--change: '${change}' is no instruction for an image: write one of ${Object.keys(instructions).join(', ')}, and what it takes.`,
      );
    Object.assign(changed, instruction(rest, changed));
  }
  return changed;
}

/** The exec form as it is, the shell form for the shell. */
function words(rest: string): readonly string[] {
  return list(rest) ?? ['/bin/sh', '-c', rest];
}

/** A JSON list of texts; undefined for anything else. */
function list(rest: string): readonly string[] | undefined {
  try {
    const value: unknown = JSON.parse(rest);
    return Array.isArray(value) && value.every((each) => typeof each === 'string') ? value : undefined;
  } catch {
    return undefined;
  }
}

/** `name=value`, or the old `name value`; quotes around a value are taken off. */
function pair(instruction: string, rest: string): readonly [string, string] {
  const [, name, value] = /^([^\s=]+)\s+(.*)$/s.exec(rest) ?? [];
  const found = name === undefined || value === undefined ? splitPair(rest) : ([name, value] as const);
  if (found === null || found[0] === '')
    throw new HakoError('INVALID_OPTION', `--change: ${instruction} takes NAME=VALUE; '${rest}' is none.`);
  return [found[0], found[1].replace(/^(["'])(.*)\1$/s, '$2')];
}
