import type { Support } from '../contracts/host-info.ts';
import type { ProbeAnswer } from '../contracts/native-binding.ts';
import type { HostFiles } from './files.ts';

/** The knobs that can forbid user namespaces, in the order in which they are to be looked at. */
const knobs: readonly { readonly path: string; blocks(value: string, root: boolean): boolean; readonly reason: string }[] = [
  {
    path: '/proc/sys/user/max_user_namespaces',
    blocks: (value) => value === '0',
    reason: 'user.max_user_namespaces is 0; raise it with sysctl -w user.max_user_namespaces=15000',
  },
  {
    path: '/proc/sys/kernel/unprivileged_userns_clone',
    blocks: (value, root) => value === '0' && !root,
    reason: 'kernel.unprivileged_userns_clone is 0; allow it with sysctl -w kernel.unprivileged_userns_clone=1',
  },
  {
    path: '/proc/sys/kernel/apparmor_restrict_unprivileged_userns',
    blocks: (value, root) => value === '1' && !root,
    reason:
      'AppArmor lets only programs with a profile that says userns do so (kernel.apparmor_restrict_unprivileged_userns is 1, as in Ubuntu since 23.10); load such a profile for this program, or run sysctl -w kernel.apparmor_restrict_unprivileged_userns=0',
  },
];

/** Turns the answer of the probe, which tried it, into a sentence that names what blocks it. */
export function explainUserNamespaces(answer: ProbeAnswer, root: boolean, files: HostFiles): Support {
  if (answer.ok) return { supported: true };
  if (!files.exists('/proc/self/ns/user')) return { supported: false, reason: 'the kernel was built without user namespaces (CONFIG_USER_NS)' };
  for (const knob of knobs) {
    const value = files.read(knob.path)?.trim();
    if (value !== undefined && knob.blocks(value, root)) return { supported: false, reason: knob.reason };
  }
  if (/^Seccomp:\s+2$/m.test(files.read('/proc/self/status') ?? '')) {
    return {
      supported: false,
      reason: `a seccomp filter of the container or service that this process runs in forbids it (${answer.errno}); start that one with a profile that allows clone with namespaces and mount, such as docker run --security-opt seccomp=unconfined, or systemd's RestrictNamespaces=no`,
    };
  }
  if (answer.errno === 'ENOSPC') return { supported: false, reason: 'the limit of user namespaces, or of their depth of 32, is reached (user.max_user_namespaces)' };
  if (answer.errno === 'EPERM' && isChrooted(files)) return { supported: false, reason: 'a process in a chroot may not make user namespaces (user_namespaces(7)); start it outside of the chroot' };
  return { supported: false, reason: `${answer.reason} (${answer.errno})` };
}

/** In a chroot, the root is no mount point that mountinfo shows. */
function isChrooted(files: HostFiles): boolean {
  const mountInfo = files.read('/proc/self/mountinfo');
  return mountInfo !== null && !/^\d+ \d+ \S+ \S+ \/ /m.test(mountInfo);
}
