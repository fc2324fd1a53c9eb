import { closeSync, constants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { hasErrno } from '../base/errno.ts';
import { HakoError } from '../base/errors.ts';
import type { NativeBinding, SpawnedProcess } from '../contracts/native-binding.ts';
import { identityOf, type ProcessIdentity } from '../host/process-identity.ts';
import { CONTROL_SOCKET, type StartRequest } from '../native/protocol.ts';
import { SupervisorSession } from '../native/supervisor-session.ts';

/** The title that ps(1) shows is written over the arguments. */
const roomForTitle = ' '.repeat(80);

/** sun_path of unix(7), less the NUL. */
const longestSocketPath = 107;

/** Starts supervisors, and finds those that run. */
export class SupervisorLauncher {
  readonly #native: NativeBinding;
  /** The program, sealed in memory once for this process. */
  #executable: Promise<number> | undefined;
  /** The ends of those that were dropped. */
  readonly #dropped = new Set<Promise<unknown>>();

  constructor(native: NativeBinding) {
    this.#native = native;
  }

  /**
   * Spawns a supervisor for the container whose directory is given. It does nothing before it has its request, and ends
   * with its session.
   *
   * @param extra - descriptors of namespaces to join, in the order in which the request names them
   */
  spawn(directory: string, extra: readonly number[] = []): SpawnedSupervisor {
    const [ours, theirs] = this.#native.socketPair();
    const session = SupervisorSession.overDescriptor(ours);
    const child = this.#spawn(directory, theirs, extra).finally(() => this.#native.close(theirs));
    const ended = Promise.all([child, session.closed]).then(([spawned]) =>
      this.#native.reap(spawned, !session.isOutlived),
    );
    ended.catch(() => {});
    return { session, child, ended };
  }

  /**
   * Gives a supervisor its request, which may still be in the making: the two take place at the same time.
   *
   * @param signal - ends the supervisor, and with it all that it had made
   */
  async launch(
    { session, child, ended }: SpawnedSupervisor,
    request: Promise<StartRequest>,
    signal?: AbortSignal,
  ): Promise<LaunchedSupervisor> {
    const abort = () => void session.close();
    signal?.addEventListener('abort', abort, { once: true });
    try {
      // The request is there to be read when the supervisor begins to.
      const [identity] = await Promise.all([child.then(identityOf), request.then((made) => session.start(made))]);
      signal?.throwIfAborted();
      return { session, identity, ended };
    } catch (error) {
      await session.close();
      // If there is none to end, that is the very error.
      await ended.catch(() => {});
      throw error;
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  /** Ends one that is to have no request. */
  drop({ session, ended }: SpawnedSupervisor): void {
    session.close();
    const gone = ended.catch(() => {}).finally(() => this.#dropped.delete(gone));
    this.#dropped.add(gone);
  }

  async #spawn(directory: string, session: number, extra: readonly number[]): Promise<SpawnedProcess> {
    const executable = await this.#sealed();
    const state = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      return await this.#native.spawn({
        executable,
        argv: ['hako-supervisor', String(extra.length), roomForTitle],
        fds: [session, state, ...extra],
      });
    } finally {
      closeSync(state);
    }
  }

  /** A new session with the supervisor of a running container, or null when there is none. */
  async connect(directory: string): Promise<SupervisorSession | null> {
    const path = join(directory, CONTROL_SOCKET);
    if (Buffer.byteLength(path) <= longestSocketPath) return dial(path);
    let fd: number;
    try {
      fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return null;
      throw error;
    }
    try {
      return await dial(`/proc/self/fd/${fd}/${CONTROL_SOCKET}`);
    } finally {
      closeSync(fd);
    }
  }

  #sealed(): Promise<number> {
    if (this.#executable === undefined) {
      const sealing = this.#native.sealExecutable(join(this.#native.directory, 'hako-supervisor'));
      this.#executable = sealing;
      // What there was no memory for now, there may be the next time.
      sealing.catch(() => (this.#executable = undefined));
    }
    return this.#executable;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#dropped);
    const executable = this.#executable;
    this.#executable = undefined;
    const fd = await executable?.catch(() => undefined);
    if (fd !== undefined) this.#native.close(fd);
  }
}

/** One that has been asked for. */
export interface SpawnedSupervisor {
  readonly session: SupervisorSession;
  readonly child: Promise<SpawnedProcess>;
  /** The supervisor's process has ended and is reaped. */
  readonly ended: Promise<unknown>;
}

export interface LaunchedSupervisor extends Pick<SpawnedSupervisor, 'session' | 'ended'> {
  /** The supervisor's own. */
  readonly identity: ProcessIdentity;
}

function dial(path: string): Promise<SupervisorSession | null> {
  return new Promise((resolve, reject) => {
    const socket = new Socket();
    const failed = (error: NodeJS.ErrnoException): void => {
      if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') resolve(null);
      else
        reject(
          new HakoError('SUPERVISOR_LOST', `The container's supervisor cannot be reached: ${error.message}.`, {
            cause: error,
            path,
          }),
        );
    };
    socket.once('error', failed);
    socket.connect({ path }, () => {
      socket.off('error', failed);
      resolve(new SupervisorSession(socket));
    });
  });
}
