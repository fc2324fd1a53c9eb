/**
 * Calls that 32-bit x86 programs can also make through one door: `socketcall(2)` and `ipc(2)`, whose first argument
 * says which call is meant. Their other arguments may lie in memory, where no filter can look.
 */
export interface Multiplexed {
  readonly through: Door;
  /** SYS_* of linux/net.h, or the call numbers of linux/ipc.h. */
  readonly call: bigint;
  /** The bits of the first argument that say which call; ipc(2) has a version in the others. */
  readonly mask: bigint;
}

export const doors = ['socketcall', 'ipc'] as const;
export type Door = (typeof doors)[number];

const socketcalls = [
  'socket',
  'bind',
  'connect',
  'listen',
  'accept',
  'getsockname',
  'getpeername',
  'socketpair',
  'send',
  'recv',
  'sendto',
  'recvfrom',
  'shutdown',
  'setsockopt',
  'getsockopt',
  'sendmsg',
  'recvmsg',
  'accept4',
  'recvmmsg',
  'sendmmsg',
];

// Maps, since a profile's names are anybody's: 'constructor' must not be found.
const ipcCalls: ReadonlyMap<string, bigint> = new Map([
  ['semop', 1n],
  ['semget', 2n],
  ['semctl', 3n],
  ['semtimedop', 4n],
  ['msgsnd', 11n],
  ['msgrcv', 12n],
  ['msgget', 13n],
  ['msgctl', 14n],
  ['shmat', 21n],
  ['shmdt', 22n],
  ['shmget', 23n],
  ['shmctl', 24n],
]);

export function multiplexedOnX86(name: string): Multiplexed | undefined {
  const socketcall = socketcalls.indexOf(name);
  if (socketcall >= 0) return { through: 'socketcall', call: BigInt(socketcall + 1), mask: 0xffff_ffffn };
  const ipc = ipcCalls.get(name);
  return ipc === undefined ? undefined : { through: 'ipc', call: ipc, mask: 0xffffn };
}
