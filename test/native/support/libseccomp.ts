import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ClassicBpf } from '../../support/classic-bpf.ts';

const operators = [
  '',
  'SCMP_CMP_NE',
  'SCMP_CMP_LT',
  'SCMP_CMP_LE',
  'SCMP_CMP_EQ',
  'SCMP_CMP_GE',
  'SCMP_CMP_GT',
  'SCMP_CMP_MASKED_EQ',
];

interface JsonConditions {
  readonly caps?: readonly string[];
  readonly arches?: readonly string[];
  readonly minKernel?: string;
}

/** A profile as it lies in a file, with only what the comparison needs. */
export interface JsonProfile {
  readonly defaultAction: string;
  readonly defaultErrnoRet?: number;
  readonly syscalls: readonly {
    readonly names: readonly string[];
    readonly action: string;
    readonly errnoRet?: number;
    readonly args?: readonly {
      readonly index: number;
      readonly value: number;
      readonly valueTwo?: number;
      readonly op: string;
    }[];
    readonly includes?: JsonConditions;
    readonly excludes?: JsonConditions;
  }[];
}

export interface ReferenceProgram {
  readonly bpf: ClassicBpf;
  readonly bytes: Uint8Array;
  /** Names that this libseccomp does not know. */
  readonly unknown: readonly string[];
  /** Names of rules that it did not take. */
  readonly refused: readonly string[];
}

const actions: Readonly<Record<string, number>> = {
  SCMP_ACT_ALLOW: 0x7fff0000,
  SCMP_ACT_KILL_PROCESS: 0x80000000,
  SCMP_ACT_TRAP: 0x30000,
};

function action(name: string, errno: number | undefined): string {
  return (name === 'SCMP_ACT_ERRNO' ? 0x50000 + (errno ?? 1) : (actions[name] as number)).toString(16);
}

/** libseccomp, driven as runc drives it (libcontainer/seccomp), from a profile's JSON: nothing of hako's own is in between. */
export class Libseccomp {
  readonly #program: string;

  constructor(directory: string) {
    this.#program = join(directory, 'reference');
    execFileSync(
      'cc',
      ['-O1', '-Wall', '-Wextra', '-Werror', '-o', this.#program, 'test/native/seccomp_reference.c', '-lseccomp'],
      { stdio: 'inherit' },
    );
  }

  compile(
    profile: JsonProfile,
    goName: string,
    abis: readonly string[],
    capabilities: readonly string[],
  ): ReferenceProgram {
    const byDefault = action(profile.defaultAction, profile.defaultErrnoRet);
    const lines = [`default ${byDefault}`, ...abis.map((abi) => `arch ${abi}`)];
    for (const { names, action: name, errnoRet, args = [], includes = {}, excludes = {} } of profile.syscalls) {
      const excluded =
        excludes.arches?.includes(goName) || excludes.caps?.some((capability) => capabilities.includes(capability));
      const included =
        (includes.arches?.includes(goName) ?? true) &&
        (includes.caps ?? []).every((capability) => capabilities.includes(capability));
      const own = action(name, errnoRet);
      if (excluded || !included || own === byDefault) continue;
      const conditions = args
        .map(({ index, op, value, valueTwo }) => `${index} ${operators.indexOf(op)} ${value} ${valueTwo ?? 0}`)
        .join(' ');
      lines.push(...names.map((syscall) => `rule ${own} ${syscall} ${conditions}`));
    }
    const { status, stdout, stderr } = spawnSync(this.#program, { input: `${lines.join('\n')}\n` });
    if (status !== 0) throw new Error(stderr.toString());
    const said = (word: string) =>
      [...stderr.toString().matchAll(new RegExp(`^${word} (\\w+)$`, 'gm'))].map(([, syscall]) => syscall as string);
    return { bpf: new ClassicBpf(stdout), bytes: stdout, unknown: said('unknown'), refused: said('refused') };
  }

  /** Only those that it has a number for. */
  numbers(names: readonly string[], abis: readonly string[]): { name: string; abi: string; number: number }[] {
    const lines = abis.flatMap((abi) => names.map((name) => `number ${abi} ${name}`));
    const { status, stdout, stderr } = spawnSync(this.#program, { input: `${lines.join('\n')}\n` });
    if (status !== 0) throw new Error(stderr.toString());
    return [...stdout.toString().matchAll(/^(\w+) (\w+) (\d+)$/gm)].map(([, abi, name, number]) => ({
      abi: abi as string,
      name: name as string,
      number: Number(number),
    }));
  }
}
