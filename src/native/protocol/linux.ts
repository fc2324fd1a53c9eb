/** Numbers of the kernel's interface (linux/mount.h, linux/sched.h, sys/mount.h) that requests are made of. */

/** Namespaces, as `clone3(2)`, `unshare(2)` and `setns(2)` name them. */
export const CLONE_NEWTIME = 0x80;
export const CLONE_NEWNS = 0x20000;
export const CLONE_NEWCGROUP = 0x2000000;
export const CLONE_NEWUTS = 0x4000000;
export const CLONE_NEWIPC = 0x8000000;
export const CLONE_NEWUSER = 0x10000000;
export const CLONE_NEWPID = 0x20000000;
export const CLONE_NEWNET = 0x40000000;

/** Attributes of a mount, as `mount_setattr(2)` and `fsmount(2)` take them. */
export const MOUNT_ATTR_RDONLY = 0x1n;
export const MOUNT_ATTR_NOSUID = 0x2n;
export const MOUNT_ATTR_NODEV = 0x4n;
export const MOUNT_ATTR_NOEXEC = 0x8n;
/** The field in which exactly one of the three below stands; to change it, clear the whole of it. */
export const MOUNT_ATTR__ATIME = 0x70n;
export const MOUNT_ATTR_RELATIME = 0x0n;
export const MOUNT_ATTR_NOATIME = 0x10n;
export const MOUNT_ATTR_STRICTATIME = 0x20n;
export const MOUNT_ATTR_NODIRATIME = 0x80n;
export const MOUNT_ATTR_IDMAP = 0x100000n;
export const MOUNT_ATTR_NOSYMFOLLOW = 0x200000n;

/** Propagation of a mount, as `mount(2)` takes it. */
export const MS_REC = 0x4000n;
export const MS_UNBINDABLE = 0x20000n;
export const MS_PRIVATE = 0x40000n;
export const MS_SLAVE = 0x80000n;
export const MS_SHARED = 0x100000n;

/** "No limit" of `setrlimit(2)`. */
export const RLIM_INFINITY = 0xffff_ffff_ffff_ffffn;
