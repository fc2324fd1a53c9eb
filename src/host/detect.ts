import { userInfo } from 'node:os';
import { capabilityNames } from '../base/capabilities.ts';
import { HakoError } from '../base/errors.ts';
import type { CgroupHost, HostInfo, Support } from '../contracts/host-info.ts';
import type { KernelProbe, ProbeAnswer } from '../contracts/native-binding.ts';
import { seccompRemedy } from '../native/user-namespace-knobs.ts';
import { type HostFiles, realHostFiles } from './files.ts';
import { hardLimits } from './hard-limits.ts';
import { detectIdRanges, type IdOwner } from './id-ranges.ts';

/** getrlimit(2). */
const RLIMIT_NOFILE = 7;

/** Who this process is. */
export interface HostIdentity extends IdOwner {
  readonly architecture: string;
}

/**
 * Puts together what this machine can do for containers. The kernel's answers come from trying (the probe); what is
 * added here is what a process may read of itself and of the knobs that blocked it.
 *
 * @throws HakoError `HAKO_ERR_HOST_UNSUPPORTED` where hako cannot work at all: another architecture, a kernel
 * without the mount API (before 5.12).
 */
export function detectHost(
  probe: KernelProbe,
  cgroup: CgroupHost,
  files: HostFiles = realHostFiles,
  identity: HostIdentity = thisProcess(),
): HostInfo {
  const { architecture } = identity;
  if (architecture !== 'x64' && architecture !== 'arm64') {
    throw new HakoError('HOST_UNSUPPORTED', `hako runs on x64 and arm64; this machine is ${architecture}.`);
  }
  for (const [name, answer] of [
    ['clone3', probe.clone3],
    ['openat2', probe.openat2],
    ['the mount API', probe.mountApi],
    ['pidfd', probe.pidfd],
  ] as const) {
    if (!answer.ok) {
      const filter = seccompRemedy(files.read('/proc/self/status'));
      throw new HakoError(
        'HOST_UNSUPPORTED',
        `hako needs ${name} of Linux 5.12 or later; on this kernel (${probe.release}) it fails. ${answer.reason}${filter === null ? '' : ` If the kernel has it, ${filter}.`}`,
      );
    }
  }
  const capabilities = effectiveCapabilities(files);
  const mayMount = capabilities.includes('CAP_SYS_ADMIN');
  return {
    kernel: probe.release,
    architecture,
    uid: identity.uid,
    gid: identity.gid,
    capabilities,
    cgroup,
    inUserNamespace: !/^\s*0\s+0\s+4294967295\s*$/.test(files.read('/proc/self/uid_map') ?? ''),
    userNamespaces: toSupport(probe.userNamespace),
    rootlessOverlay: toSupport(probe.overlayInUserNamespace),
    overlay: detectOverlay(mayMount, files),
    seccomp: toSupport(probe.seccompFilter),
    apparmor: detectAppArmor(files),
    timeNamespaces: namespaceSupport('time', 'CONFIG_TIME_NS', probe.timeNamespace, mayMount, files),
    cgroupNamespaces: namespaceSupport('cgroup', 'CONFIG_CGROUPS', probe.cgroupNamespace, mayMount, files),
    raiseLimits: capabilities.includes('CAP_SYS_RESOURCE')
      ? { supported: true }
      : {
          supported: false,
          reason:
            'raising a hard limit needs CAP_SYS_RESOURCE; raise the limits of the service itself instead (systemd: LimitNOFILE= and the like)',
        },
    openFilesLimit: hardLimits(files)[RLIMIT_NOFILE] ?? null,
    oomScoreAdj: Number(files.read('/proc/self/oom_score_adj') ?? 0),
    idRanges: detectIdRanges(identity, files),
    sideChannels: files
      .list('/sys/devices/system/cpu')
      .filter((name) => /^cpu\d+$/.test(name))
      .map((name) => `/sys/devices/system/cpu/${name}/thermal_throttle`)
      .filter((path) => files.exists(path)),
  };
}

function thisProcess(): HostIdentity {
  const { geteuid, getegid } = process;
  if (geteuid === undefined || getegid === undefined)
    throw new HakoError(
      'HOST_UNSUPPORTED',
      'hako runs containers on Linux only; on another system it can be installed and type-checked, no more.',
    );
  return { uid: geteuid(), gid: getegid(), name: loginName(), architecture: process.arch };
}

/** os.userInfo() throws for an id without a passwd entry, which is usual in containers. */
function loginName(): string | null {
  try {
    return userInfo().username;
  } catch {
    return null;
  }
}

function effectiveCapabilities(files: HostFiles): readonly string[] {
  const [, digits] = /^CapEff:\s*([0-9a-f]{16})$/m.exec(files.read('/proc/self/status') ?? '') ?? [];
  return digits === undefined ? [] : capabilityNames(BigInt(`0x${digits}`));
}

function detectOverlay(mayMount: boolean, files: HostFiles): Support {
  if (!/^nodev\toverlay$/m.test(files.read('/proc/filesystems') ?? '')) {
    const release = files.read('/proc/sys/kernel/osrelease')?.trim() ?? '';
    const loadable =
      release !== '' && files.read(`/lib/modules/${release}/modules.dep`)?.includes('/overlay.ko') === true;
    return {
      supported: false,
      reason: loadable
        ? 'the overlay module is not loaded; run modprobe overlay'
        : 'the kernel has no overlay filesystem (CONFIG_OVERLAY_FS)',
    };
  }
  return mayMount
    ? { supported: true }
    : { supported: false, reason: 'mounting overlay outside of a user namespace needs CAP_SYS_ADMIN' };
}

function detectAppArmor(files: HostFiles): Support {
  if (files.read('/sys/module/apparmor/parameters/enabled')?.trim() !== 'Y') {
    return {
      supported: false,
      reason: 'the kernel does not have AppArmor, or it is off (boot with apparmor=1 security=apparmor)',
    };
  }
  return files.exists('/proc/self/attr/apparmor/exec') || files.exists('/proc/self/attr/exec')
    ? { supported: true }
    : { supported: false, reason: '/proc/self/attr is not there to name a profile in' };
}

/** A process without CAP_SYS_ADMIN makes these namespaces inside a user namespace, so only the kernel's having them counts. */
function namespaceSupport(
  kind: string,
  config: string,
  answer: ProbeAnswer,
  mayMount: boolean,
  files: HostFiles,
): Support {
  if (!files.exists(`/proc/self/ns/${kind}`))
    return { supported: false, reason: `the kernel was built without ${kind} namespaces (${config})` };
  return mayMount ? toSupport(answer) : { supported: true };
}

/** The probe's reasons are whole sentences; those here go into one. */
function toSupport(answer: ProbeAnswer): Support {
  return answer.ok ? { supported: true } : { supported: false, reason: answer.reason.replace(/\.$/, '') };
}
