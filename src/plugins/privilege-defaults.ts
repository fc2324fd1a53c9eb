import type { CapabilityName } from '../base/capabilities.ts';
import type { DeviceRule } from '../contracts/isolation.ts';

/**
 * What a program of a container may do as root: the 14 capabilities of Docker (moby, daemon/pkg/oci/caps/defaults.go),
 * which images are written for.
 *
 * @public
 */
export const defaultCapabilities: readonly CapabilityName[] = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FSETID',
  'CAP_FOWNER',
  'CAP_MKNOD',
  'CAP_NET_RAW',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETFCAP',
  'CAP_SETPCAP',
  'CAP_NET_BIND_SERVICE',
  'CAP_SYS_CHROOT',
  'CAP_KILL',
  'CAP_AUDIT_WRITE',
];

/**
 * Paths that tell of the host or its other users: Docker's list (moby, daemon/pkg/oci/defaults.go), with the side
 * channels of GHSA-6fw5-f8r9-fgfm and CVE-2020-8694 (powercap, interrupts). `HostInfo.sideChannels` comes on top.
 *
 * @public
 */
export const defaultMaskedPaths: readonly string[] = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/devices/virtual/powercap',
  '/sys/firmware',
];

/**
 * Paths of /proc that change the whole machine (moby, daemon/pkg/oci/defaults.go).
 *
 * @public
 */
export const defaultReadonlyPaths: readonly string[] = [
  '/proc/bus',
  '/proc/fs',
  '/proc/irq',
  '/proc/sys',
  '/proc/sysrq-trigger',
];

const device = (major: number, minor: number | null): DeviceRule => ({
  allow: true,
  type: 'c',
  major,
  minor,
  access: 'rwm',
});

/**
 * Everything is denied but the devices that a container has of its own: null, zero, full, random, urandom, tty,
 * console, ptmx, and the pseudo-terminals of its devpts (linux, admin-guide/devices.txt). Unlike runc's list there is
 * neither the tun device nor a right to make nodes of any device.
 *
 * @public
 */
export const defaultDeviceRules: readonly DeviceRule[] = [
  { allow: false, type: 'a', major: null, minor: null, access: 'rwm' },
  device(1, 3),
  device(1, 5),
  device(1, 7),
  device(1, 8),
  device(1, 9),
  device(5, 0),
  device(5, 1),
  device(5, 2),
  device(136, null),
];
