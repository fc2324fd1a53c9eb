import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { HakoError } from '../base/errors.ts';
import { raceSignal } from '../base/signal.ts';
import { signalNumber } from '../base/signal-number.ts';
import type { ExitResult } from '../contracts/events.ts';
import type { HostInfo } from '../contracts/host-info.ts';
import type { StartedFrame } from '../native/protocol.ts';
import type { SupervisorSession } from '../native/supervisor-session.ts';
import type { Attachment, Exec, ExecAttachment } from './attachment.ts';
import type { GivenExec } from './call-options.ts';
import type { AttachOptions } from './container.ts';
import { StandbySessions } from './execs/standby-sessions.ts';
import type { Isolation, IsolationPlanner } from './isolation.ts';
import type { SupervisorLauncher } from './launcher.ts';
import type { ContainerRecord } from './record.ts';
import { optionsOf } from './record-options.ts';
import { sessionAttachment } from './session-attachment.ts';
import { compileExec, execCapabilities, hostnameOf } from './spec/index.ts';
import type { StateReader } from './state-reader.ts';
import type { Supervised } from './supervision.ts';

export interface ExecLauncherParts {
  readonly states: StateReader;
  readonly planner: IsolationPlanner;
  readonly launcher: SupervisorLauncher;
  readonly host: HostInfo;
}

/** An exec, before it is registered. */
export type StartedExec = Omit<Exec, 'inspect'>;

/** Opens further sessions with the supervisors of running containers: to run programs, and to attach. */
export class ExecLauncher {
  readonly #parts: ExecLauncherParts;
  /** A container's isolation is settled for as long as it runs. */
  readonly #isolations = new WeakMap<Supervised, Promise<Isolation>>();
  /** Sessions of execs that outlive them. */
  readonly #detached = new Set<SupervisorSession>();
  readonly #standby = new StandbySessions(({ record }) => this.#reach(record));

  constructor(parts: ExecLauncherParts) {
    this.#parts = parts;
  }

  async start(supervised: Supervised, { command, exec, signal }: GivenExec): Promise<StartedExec> {
    signal?.throwIfAborted();
    const { record } = supervised;
    const { planner, host } = this.#parts;
    const isolating = this.#isolation(supervised);
    const session = this.#standby.take(supervised) ?? (await this.#connect(supervised));
    const options = optionsOf(record);
    const id = randomBytes(32).toString('hex');
    const abort = () => {
      // A signal would wait behind stdin that the program does not read. The end of its session kills it at once.
      if (exec.stdin && !exec.detached) session.close();
      else session.signal(signalNumber('SIGKILL'));
    };
    try {
      const { plan } = await isolating;
      const started = await session.exec(
        compileExec({
          id,
          options,
          image: record.imageDefaults,
          plan,
          host,
          hostname: hostnameOf(record.id, options),
          seccomp: exec.privileged ? null : planner.seccomp(plan, execCapabilities(plan, host, false).bounding),
          idEmulation: planner.idEmulation(plan),
          command,
          exec,
          // Those that it was started in: this process may see the groups from elsewhere than the one that started it.
          groups: record.state.status === 'running' ? record.state.cgroups : [],
          attach: { stdin: exec.stdin, stdout: !exec.detached, stderr: !exec.detached },
        }),
      );
      signal?.throwIfAborted();
      signal?.addEventListener('abort', abort, { once: true });
      session.closed.then(() => {
        signal?.removeEventListener('abort', abort);
        this.#standby.expect(supervised);
      });
      const exited = session.exited.catch((error: unknown) => {
        signal?.throwIfAborted();
        throw error;
      });
      exited.catch(() => {});
      let isDetached = exec.detached;
      if (isDetached) this.#letGo(session);
      const detach = async () => {
        if (!isDetached) await this.#release(supervised, id);
        isDetached = true;
        this.#letGo(session);
        session.endStreams();
      };
      return {
        id,
        ...sessionAttachment(session, exited, () => (isDetached ? detach() : session.close())),
        ...aboutProgram(session, started),
        detach,
      };
    } catch (error) {
      await session.close();
      throw (await endedMeanwhile(supervised, error)) ?? error;
    }
  }

  async attach(supervised: Supervised, options: AttachOptions): Promise<Attachment> {
    options.signal?.throwIfAborted();
    const session = await this.#connect(supervised);
    session.attach({ stdin: options.stdin ?? false, stdout: options.stdout ?? true, stderr: options.stderr ?? true });
    await this.#joined(session);
    return sessionAttachment(session, untilAborted(session, options), () => session.close());
  }

  /**
   * Joins a further program, whoever has started it.
   *
   * @throws HakoError `HAKO_ERR_EXEC_NOT_FOUND`
   */
  async attachExec(supervised: Supervised, id: string, options: AttachOptions): Promise<ExecAttachment> {
    options.signal?.throwIfAborted();
    const session = await this.#connect(supervised);
    const { stdin = false, stdout = true, stderr = true } = options;
    try {
      const started = await session.attachExec(id, { stdin, stdout, stderr });
      return {
        ...sessionAttachment(session, untilAborted(session, options), () => session.close()),
        ...aboutProgram(session, started),
      };
    } catch (error) {
      await session.close();
      if (!(error instanceof HakoError) || error.operation !== 'attach') throw error;
      throw new HakoError(
        'EXEC_NOT_FOUND',
        `No exec '${id.slice(0, 64)}' runs in container '${supervised.record.name}'; of several that begin like that, write more.`,
      );
    }
  }

  /** Over a session of its own: on the exec's, what its program does not read of stdin would be in the way. */
  async #release(supervised: Supervised, id: string): Promise<void> {
    const session = await this.#connect(supervised);
    try {
      await session.attachExec(id, { stdin: false, stdout: false, stderr: false });
      await session.release();
    } catch (error) {
      // It has ended by itself.
      if (!(error instanceof HakoError) || error.operation !== 'attach') throw error;
    } finally {
      await session.close();
    }
  }

  /** What goes on without us is listened to, for its exit code. */
  #letGo(session: SupervisorSession): void {
    this.#detached.add(session);
    session.closed.then(() => this.#detached.delete(session));
  }

  /** Lets go of execs that go on by themselves: they must not keep this process from ending. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#standby[Symbol.dispose]();
    await Promise.all([...this.#detached].map((session) => session.close()));
  }

  /** What the program does from here on is seen: the supervisor has answered, or its output is coming already. */
  async #joined(session: SupervisorSession): Promise<void> {
    const isComing = new Promise<void>((resolve) => {
      session.onHeldUp = resolve;
    });
    const answered = session.state();
    try {
      await Promise.race([answered, session.exited, isComing]);
    } catch (error) {
      await session.close();
      throw error;
    } finally {
      answered.catch(() => {});
      session.onHeldUp = undefined;
    }
  }

  async #connect({ record }: Supervised): Promise<SupervisorSession> {
    const session = await this.#reach(record);
    if (session === null) throw justEnded(record);
    return session;
  }

  #reach({ id }: ContainerRecord): Promise<SupervisorSession | null> {
    return this.#parts.launcher.connect(this.#parts.states.directory(id));
  }

  #isolation(supervised: Supervised): Promise<Isolation> {
    let isolation = this.#isolations.get(supervised);
    if (isolation === undefined) {
      const { record } = supervised;
      isolation = this.#parts.planner.plan(record.id, record.mode, optionsOf(record));
      this.#isolations.set(supervised, isolation);
      // What could not be read now may be read the next time.
      isolation.catch(() => this.#isolations.delete(supervised));
    }
    return isolation;
  }
}

/** The end of the program, or of the attachment by its signal. */
function untilAborted(session: SupervisorSession, { signal }: AttachOptions): Promise<ExitResult> {
  if (signal === undefined) return session.exited;
  const abort = () => void session.close();
  signal.addEventListener('abort', abort, { once: true });
  session.closed.then(() => signal.removeEventListener('abort', abort));
  if (signal.aborted) abort();
  const exited = raceSignal(session.exited, signal);
  exited.catch(() => {});
  return exited;
}

function aboutProgram(
  session: SupervisorSession,
  { pid, tty }: StartedFrame,
): Pick<ExecAttachment, 'pid' | 'tty' | 'kill'> {
  return { pid, tty, kill: async (signal = 'SIGKILL') => session.signal(signalNumber(signal)) };
}

/** How long the end of a container may take to be told once execs fail for it, in milliseconds. */
const ending = 1000;

/**
 * What an exec may meet when the container's first process is ending: no supervisor; one that knows; a pid namespace
 * that takes no process any more (ENOMEM, pid_namespaces(7)), or kills the one that it has just taken.
 */
function isSignOfEnd({ code, errno, operation }: HakoError): boolean {
  return code === 'HAKO_ERR_SUPERVISOR_LOST' || errno === 'ESRCH' || errno === 'ENOMEM' || operation === 'child';
}

/** What to say of an exec that the container's end, and nothing else, was in the way of. */
async function endedMeanwhile({ record, ended }: Supervised, cause: unknown): Promise<HakoError | undefined> {
  if (!(cause instanceof HakoError) || !isSignOfEnd(cause)) return undefined;
  const waited = new AbortController();
  const over = ended.then(
    () => true,
    () => true,
  );
  const not = sleep(ending, false, { signal: waited.signal }).catch(() => false);
  const isOver = await Promise.race([over, not]);
  waited.abort();
  return isOver ? justEnded(record, cause) : undefined;
}

function justEnded({ name }: ContainerRecord, cause?: unknown): HakoError {
  return new HakoError('CONTAINER_NOT_RUNNING', `Container '${name}' has just ended. Start it again.`, { cause });
}
