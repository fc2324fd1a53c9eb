import { readFileSync } from 'node:fs';

interface Knob {
  readonly file: string;
  /** Whether a host with this value refuses user namespaces. */
  readonly blocks: (value: string) => boolean;
  readonly remedy: string;
}

/** What is known to forbid user namespaces to processes that could otherwise make them, and how it is lifted. */
const knobs: readonly Knob[] = [
  {
    file: '/proc/sys/kernel/unprivileged_userns_clone',
    blocks: (value) => value === '0',
    remedy: 'run `sysctl -w kernel.unprivileged_userns_clone=1` as root (Debian and Arch kernels have this setting)',
  },
  {
    file: '/proc/sys/kernel/apparmor_restrict_unprivileged_userns',
    blocks: (value) => value !== '0',
    remedy:
      'give node an AppArmor profile with the rule `userns,`, or run `sysctl -w kernel.apparmor_restrict_unprivileged_userns=0` as root (Ubuntu 23.10 and later have this setting)',
  },
  {
    file: '/proc/sys/user/max_user_namespaces',
    blocks: (value) => value === '0',
    remedy: 'run `sysctl -w user.max_user_namespaces=15000` as root',
  },
];

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return undefined;
  }
}

/**
 * What to do about the seccomp filter that this process is under, as the middle of a sentence; null: it is under none.
 *
 * @param status - proc_pid_status(5)
 */
export function seccompRemedy(status: string | null | undefined): string | null {
  if (!/^Seccomp:\s+2$/m.test(status ?? '')) return null;
  return (
    'lift the seccomp filter that this process is under (/proc/self/status: Seccomp 2), such as that of a container around it: ' +
    'run that container with `--security-opt seccomp=unconfined`, or with a profile that allows clone3, unshare, setns, mount and ' +
    'pivot_root; of systemd, leave out RestrictNamespaces= and SystemCallFilter='
  );
}

/**
 * How to get user namespaces on this host, as a sentence: from the settings that forbid them here, or all the
 * usual reasons when none of those is set. Reads a few files of /proc/sys; for the way to a failure only.
 */
export function userNamespaceRemedy(readFile: (file: string) => string | undefined = read): string {
  const set = knobs.filter((knob) => {
    const value = readFile(knob.file);
    return value !== undefined && knob.blocks(value);
  });
  if (set.length > 0) return `To allow user namespaces, ${set.map((knob) => knob.remedy).join('; and ')}.`;
  const filter = seccompRemedy(readFile('/proc/self/status'));
  if (filter !== null) return `To allow user namespaces, ${filter}.`;
  return (
    'None of the usual settings forbids user namespaces here (kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns, ' +
    'user.max_user_namespaces), and this process is under no seccomp filter, so what forbids them is the limit of ' +
    'their number (user.max_user_namespaces of a user namespace around this one), a chroot, a security module, or a kernel without CONFIG_USER_NS.'
  );
}
