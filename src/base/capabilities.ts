import { HakoError } from './errors.ts';

/**
 * Every capability of Linux, in the order of its number (linux/capability.h, up to CAP_CHECKPOINT_RESTORE of 5.9).
 *
 * @public
 */
export const allCapabilities = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_DAC_READ_SEARCH',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETPCAP',
  'CAP_LINUX_IMMUTABLE',
  'CAP_NET_BIND_SERVICE',
  'CAP_NET_BROADCAST',
  'CAP_NET_ADMIN',
  'CAP_NET_RAW',
  'CAP_IPC_LOCK',
  'CAP_IPC_OWNER',
  'CAP_SYS_MODULE',
  'CAP_SYS_RAWIO',
  'CAP_SYS_CHROOT',
  'CAP_SYS_PTRACE',
  'CAP_SYS_PACCT',
  'CAP_SYS_ADMIN',
  'CAP_SYS_BOOT',
  'CAP_SYS_NICE',
  'CAP_SYS_RESOURCE',
  'CAP_SYS_TIME',
  'CAP_SYS_TTY_CONFIG',
  'CAP_MKNOD',
  'CAP_LEASE',
  'CAP_AUDIT_WRITE',
  'CAP_AUDIT_CONTROL',
  'CAP_SETFCAP',
  'CAP_MAC_OVERRIDE',
  'CAP_MAC_ADMIN',
  'CAP_SYSLOG',
  'CAP_WAKE_ALARM',
  'CAP_BLOCK_SUSPEND',
  'CAP_AUDIT_READ',
  'CAP_PERFMON',
  'CAP_BPF',
  'CAP_CHECKPOINT_RESTORE',
] as const;

/** A capability of Linux, as capabilities(7) writes it: `CAP_NET_ADMIN`. @public */
export type CapabilityName = (typeof allCapabilities)[number];

const numbers: ReadonlyMap<string, number> = new Map(allCapabilities.map((name, index) => [name, index]));

/**
 * `net_admin`, `NET_ADMIN` and `CAP_NET_ADMIN` are all `CAP_NET_ADMIN`.
 *
 * @throws HakoError `HAKO_ERR_INVALID_OPTION` for a name that Linux does not have.
 * @public
 */
export function parseCapability(text: string): CapabilityName {
  const upper = text.toUpperCase();
  const name = upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
  const index = numbers.get(name);
  const known = index === undefined ? undefined : allCapabilities[index];
  if (known === undefined)
    throw new HakoError(
      'INVALID_OPTION',
      `'${text.slice(0, 60)}' is not a capability of Linux; capabilities(7) lists them.`,
    );
  return known;
}

/** The bit mask, as in the Cap lines of /proc/<pid>/status. */
export function capabilityMask(names: readonly string[]): bigint {
  let mask = 0n;
  for (const name of names) {
    const index = numbers.get(name);
    if (index === undefined)
      throw new HakoError(
        'INVALID_OPTION',
        `'${name.slice(0, 60)}' is not a capability of Linux; capabilities(7) lists them.`,
      );
    mask |= 1n << BigInt(index);
  }
  return mask;
}

/** The names in a mask; bits that have no name yet are left out. */
export function capabilityNames(mask: bigint): readonly CapabilityName[] {
  return allCapabilities.filter((_, index) => (mask & (1n << BigInt(index))) !== 0n);
}
