import type { NativeBinding } from '../contracts/native-binding.ts';
import { RET_ALLOW, RET_USER_NOTIF } from './actions.ts';
import { abis, type MachineArchitecture, machines, syscallNumber } from './architectures.ts';
import { type Alternative, encodeRules, Operator, type ResolvedRange } from './rules.ts';

/**
 * Calls that name ids or ask for them; native/supervisor/id_calls.c answers them. Not mknod(2) of a device, which fails
 * as ever: a node that is said to be made and is not there leads its maker further astray (`mknod -m` does).
 */
const idCalls = [
  ...['chown', 'fchown', 'lchown', 'fchownat'],
  ...['setuid', 'setgid', 'setreuid', 'setregid', 'setresuid', 'setresgid', 'setfsuid', 'setfsgid', 'setgroups'],
  ...['getuid', 'getgid', 'geteuid', 'getegid', 'getresuid', 'getresgid', 'getgroups'],
];

/** Who keeps root's capabilities over a change of user may go on changing ids. */
const PR_SET_KEEPCAPS = 8n;
const keepingCapabilities: readonly Alternative[] = [
  {
    action: RET_USER_NOTIF,
    conditions: [{ argument: 0, operator: Operator.EQUAL, width: 32, mask: 0n, value: PR_SET_KEEPCAPS }],
  },
];

const programs = new Map<MachineArchitecture, Uint8Array>();

/**
 * The filter by which a container's calls that name ids come to its supervisor. Only the processor's own calls:
 * a 32-bit program on x64 is answered by the kernel.
 */
export function idEmulationFilter(
  architecture: MachineArchitecture,
  native: Pick<NativeBinding, 'compileSeccomp'>,
): Uint8Array {
  let program = programs.get(architecture);
  if (program === undefined) {
    const abi = machines[architecture].native;
    const ranges = [
      ...idCalls.map((name) => rangeOf(syscallNumber(abi, name), RET_USER_NOTIF, [])),
      rangeOf(syscallNumber(abi, 'prctl'), RET_ALLOW, keepingCapabilities),
    ]
      .filter((range) => range !== undefined)
      .sort((one, other) => one.first - other.first);
    program = native.compileSeccomp(
      encodeRules({
        defaultAction: RET_ALLOW,
        badArchitectureAction: RET_ALLOW,
        architectures: [{ audit: abis[abi].audit, ranges }],
      }),
    );
    programs.set(architecture, program);
  }
  return program;
}

/** undefined: the processor does not have the call. */
function rangeOf(
  number: number | undefined,
  action: number,
  alternatives: readonly Alternative[],
): ResolvedRange | undefined {
  return number === undefined ? undefined : { first: number, last: number, action, alternatives };
}
