import { syscallTable } from './syscall-table.ts';

/** A set of system calls that the kernel can be asked for, by the name that libseccomp gives it. */
export type Abi = 'SCMP_ARCH_X86_64' | 'SCMP_ARCH_X86' | 'SCMP_ARCH_X32' | 'SCMP_ARCH_AARCH64' | 'SCMP_ARCH_ARM';

interface AbiFacts {
  /** AUDIT_ARCH_* of linux/audit.h. */
  readonly audit: number;
  /** Whether arguments have 64 bits. */
  readonly wide: boolean;
  /** Column of the table. */
  readonly column: number;
  /** The numbers that calls of this kind can have. */
  readonly first: number;
  readonly last: number;
}

export const X32_BIT = 0x4000_0000;
const AUDIT_X86_64 = 0xc000_003e;

export const abis: Readonly<Record<Abi, AbiFacts>> = {
  SCMP_ARCH_X86_64: { audit: AUDIT_X86_64, wide: true, column: 0, first: 0, last: X32_BIT - 1 },
  SCMP_ARCH_X86: { audit: 0x4000_0003, wide: false, column: 1, first: 0, last: 0x7fff_ffff },
  SCMP_ARCH_X32: { audit: AUDIT_X86_64, wide: true, column: 2, first: X32_BIT, last: 0x7fff_ffff },
  SCMP_ARCH_AARCH64: { audit: 0xc000_00b7, wide: true, column: 3, first: 0, last: 0x7fff_ffff },
  // From 0xf0000 on there are arm's private calls.
  SCMP_ARCH_ARM: { audit: 0x4000_0028, wide: false, column: 4, first: 0, last: 0x000e_ffff },
};

export type MachineArchitecture = 'x64' | 'arm64';

/** What a machine's processor is called: by libseccomp, and by Go, whose names profiles use in `arches`. */
export const machines = {
  x64: { native: 'SCMP_ARCH_X86_64', goName: 'amd64' },
  arm64: { native: 'SCMP_ARCH_AARCH64', goName: 'arm64' },
} as const satisfies Record<MachineArchitecture, { native: Abi; goName: string }>;

/** Whether calls of that ABI can come to a kernel of this machine at all. */
export function isAbiOf(machine: MachineArchitecture, name: string): name is Abi {
  const own: readonly string[] =
    machine === 'x64' ? ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'] : ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'];
  return own.includes(name);
}

let table: ReadonlyMap<string, readonly string[]> | undefined;

/** The call's number, or undefined where there is no such call. */
export function syscallNumber(abi: Abi, name: string): number | undefined {
  // Read when first used: a program that starts no container should not pay for it.
  table ??= new Map(
    syscallTable
      .trim()
      .split(/,\s/)
      .map((entry) => entry.split(' '))
      .map(([key = '', ...numbers]) => [key, numbers]),
  );
  const text = table.get(name)?.[abis[abi].column];
  return text === undefined || text === '-' ? undefined : Number(text);
}
