import { constants } from 'node:fs';
import { Socket } from 'node:net';
import type { ExitStatus, NativeBinding } from '../../contracts/native-binding.ts';

/** A worker that runs and waits for its one request. */
export interface LaunchedWorker {
  readonly socket: Socket;
  /** Kills it; of no effect once it has ended. To be called before `reap` only. */
  kill(): void;
  /** Waits for its end. To be called once, when the connection has closed. */
  reap(): Promise<ExitStatus>;
}

export interface WorkerFiles {
  /** The directory that the job is about. */
  readonly base: string;
  /** A descriptor of it to take instead of one of its own; not taken over. */
  readonly held?: number;
  /** Descriptors for the tar stream; the launcher takes neither over. */
  readonly input: number | null;
  readonly output: number | null;
  /** Descriptors of a container's mount namespace and, when it is another than ours, its user namespace. */
  readonly namespaces?: readonly number[];
}

/** Starts a worker. A test starts it as another user, or a sanitized one. */
export type LaunchWorker = (files: WorkerFiles) => Promise<LaunchedWorker>;

const SIGKILL = 9;

/** Starts workers from a sealed copy of the program, see {@link NativeBinding.sealExecutable}. */
export function nativeLauncher(binding: NativeBinding, executable: number): LaunchWorker {
  return async ({ base, held, input, output, namespaces = [] }) => {
    const opened: number[] = [];
    const own = (fd: number): number => {
      opened.push(fd);
      return fd;
    };
    let ours: number | undefined;
    try {
      const directory = held ?? own(binding.open(base, constants.O_RDONLY | constants.O_DIRECTORY));
      const [here, there] = binding.socketPair();
      ours = here;
      own(there);
      const child = await binding.spawn({
        executable,
        argv: ['hako-worker'],
        fds: [there, directory, ...namespaces],
        stdio: [input, output, null],
      });
      const socket = new Socket({ fd: here, readable: true, writable: true });
      return {
        socket,
        kill: () => binding.pidfdSendSignal(child.pidfd, SIGKILL),
        reap: () => binding.reap(child),
      };
    } catch (error) {
      if (ours !== undefined) binding.close(ours);
      throw error;
    } finally {
      for (const fd of opened) binding.close(fd);
    }
  };
}
