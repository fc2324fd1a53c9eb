import type { SeccompAction } from './profile.ts';

/** SECCOMP_RET_* of linux/seccomp.h. */
export const RET_KILL_THREAD = 0x0000_0000;
export const RET_ERRNO = 0x0005_0000;
export const RET_USER_NOTIF = 0x7fc0_0000;
export const RET_ALLOW = 0x7fff_0000;

const EPERM = 1;
export const ENOSYS = 38;

const values: Readonly<Record<SeccompAction, number>> = {
  SCMP_ACT_KILL: RET_KILL_THREAD,
  SCMP_ACT_KILL_THREAD: RET_KILL_THREAD,
  SCMP_ACT_KILL_PROCESS: 0x8000_0000,
  SCMP_ACT_TRAP: 0x0003_0000,
  SCMP_ACT_ERRNO: RET_ERRNO,
  SCMP_ACT_TRACE: 0x7ff0_0000,
  SCMP_ACT_LOG: 0x7ffc_0000,
  SCMP_ACT_ALLOW: RET_ALLOW,
};

/** The filter's return value. ERRNO and TRACE carry `errno`, or EPERM when the profile gives none, as in runc. */
export function actionValue(action: SeccompAction, errno: number | null | undefined): number {
  const carries = action === 'SCMP_ACT_ERRNO' || action === 'SCMP_ACT_TRACE';
  return (values[action] | (carries ? (errno ?? EPERM) : 0)) >>> 0;
}

/** Orders actions as the kernel does when filters disagree: the strictest first (seccomp(2)). */
export function compareStrictness(action: number, other: number): number {
  // The order is that of signed numbers: KILL_PROCESS has the highest bit.
  return (action & 0xffff_0000) - (other & 0xffff_0000);
}
