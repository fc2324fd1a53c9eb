import type { NativeBinding } from '../contracts/native-binding.ts';
import type { IsolationPlan } from '../contracts/privilege-mode.ts';
import type { MachineArchitecture } from './architectures.ts';
import { defaultProfile } from './default-profile.ts';
import { parseSeccompProfile, type SeccompProfile } from './profile.ts';
import { resolveProfile } from './resolve.ts';
import { encodeRules } from './rules.ts';

export { idEmulationFilter } from './id-emulation.ts';

export interface SeccompRequest {
  readonly profile: IsolationPlan['seccomp'];
  readonly architecture: MachineArchitecture;
  /** The container's bounding set, by name (`CAP_SYS_ADMIN`). */
  readonly capabilities: readonly string[];
  /** The kernel's release, as uname(2) gives it. */
  readonly kernel: string;
  readonly native: Pick<NativeBinding, 'compileSeccomp'>;
}

/** What seccomp(2) takes: struct sock_filter[] and SECCOMP_FILTER_FLAG_*. */
export interface SeccompProgram {
  readonly program: Uint8Array;
  readonly flags: number;
}

const MOST_CACHED = 64;
const FLAG_BITS: Readonly<Record<string, number>> = {
  SECCOMP_FILTER_FLAG_LOG: 0x2,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: 0x4,
};

/** Programs by all that they depend on: the native compiler gives the same bytes for the same rules. */
const cache = new Map<string, SeccompProgram>();

/**
 * Compiles a profile for one container; null for `unconfined`. The same request is compiled once.
 *
 * @throws HakoError `HAKO_ERR_INVALID_SECCOMP_PROFILE` for a profile that is not valid or takes more than the 4096
 * instructions that the kernel allows.
 */
export function compileSeccompProfile(request: SeccompRequest): SeccompProgram | null {
  const { profile, architecture, capabilities, kernel } = request;
  if (profile === 'unconfined') return null;
  const key = JSON.stringify([profile, architecture, [...capabilities].sort(), kernel]);
  const cached = cache.get(key);
  if (cached !== undefined) return cached;
  const parsed = profile === 'default' ? defaultProfile : parseSeccompProfile(profile.json);
  const compiled = {
    program: request.native.compileSeccomp(encodeRules(resolveProfile(parsed, { architecture, capabilities, kernel }))),
    flags: flagsOf(parsed),
  };
  if (cache.size >= MOST_CACHED) cache.clear();
  cache.set(key, compiled);
  return compiled;
}

/**
 * As runc: without flags, SPEC_ALLOW, since the mitigation that a filter otherwise switches on (kernels before 5.16)
 * costs every program dearly. TSYNC has no meaning for a process with one thread.
 */
function flagsOf({ flags }: SeccompProfile): number {
  return (flags ?? ['SECCOMP_FILTER_FLAG_SPEC_ALLOW']).reduce((bits, name) => bits | (FLAG_BITS[name] ?? 0), 0);
}
