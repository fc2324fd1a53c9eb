import { readlinkSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { HakoError } from '../base/errors.ts';
import type { NativeBinding } from '../contracts/native-binding.ts';
import type { Worker } from '../native/worker.ts';
import { runningState } from './container-state.ts';
import { openNamespace } from './first-process.ts';
import type { ContainerRecord } from './record.ts';

/** Reaches into the network namespaces of running containers, which may have no other way in. */
export class ContainerNetwork {
  readonly #native: Pick<NativeBinding, 'open' | 'close'>;
  readonly #worker: Pick<Worker, 'connect'>;

  constructor(native: Pick<NativeBinding, 'open' | 'close'>, worker: Pick<Worker, 'connect'>) {
    this.#native = native;
    this.#worker = worker;
  }

  /** Connects to a TCP port of the loopback addresses as the container has them. Aborting `signal` ends the attempt, not the connection. */
  async connect(record: ContainerRecord, port: number, signal: AbortSignal): Promise<Socket> {
    const network = openNamespace(this.#native, runningState(record), 'net');
    if (network === null) throw new HakoError('CONTAINER_NOT_RUNNING', `Container '${record.name}' has just ended.`);
    try {
      // An ordinary user may not enter the host's, being in it already.
      if (readlinkSync(`/proc/self/fd/${network}`) === readlinkSync('/proc/self/ns/net'))
        return await connectHere(port, signal);
      return await this.#worker.connect(network, port, { signal });
    } finally {
      this.#native.close(network);
    }
  }
}

function connectHere(port: number, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: 'localhost', signal });
    socket.once('connect', () => resolve(socket.off('error', reject)));
    socket.once('error', reject);
  });
}
