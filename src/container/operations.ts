import { hasErrno } from '../base/errno.ts';
import { HakoError, hasHakoCode } from '../base/errors.ts';
import type { Gate } from '../base/gate.ts';
import type { ContainerId } from '../base/ids.ts';
import { raceSignal } from '../base/signal.ts';
import { signalNumber } from '../base/signal-number.ts';
import type { EventRecorder, ExitResult } from '../contracts/events.ts';
import type { LogEntry } from '../contracts/log-driver.ts';
import type { OperationOptions } from '../contracts/operation.ts';
import { realHostFiles } from '../host/files.ts';
import type { LogService } from '../log/log-service.ts';
import type { SupervisorSession } from '../native/supervisor-session.ts';
import type { Attachment, Exec, ExecAttachment, ProgramResult, TerminalSize } from './attachment.ts';
import { type GivenExec, given, givenName } from './call-options.ts';
import { collect } from './collect.ts';
import type { AttachOptions, LogCounts, LogsOptions, RemoveOptions, StartOptions, StopOptions } from './container.ts';
import { containerEvent } from './container-event.ts';
import type { ContainerLauncher, PreparedContainer } from './container-launcher.ts';
import { runningState } from './container-state.ts';
import type { ContainerEvents, EventHub } from './event-hub.ts';
import type { ExecLauncher } from './exec-launcher.ts';
import type { ExecInspection } from './execs/exec-inspection.ts';
import type { ExecRegister } from './execs/exec-register.ts';
import type { FileOperations } from './files/file-operations.ts';
import type { ForeignEvents } from './foreign-events.ts';
import type { ContainerInspection, Inspector } from './inspection.ts';
import type { Keeper } from './keeping/keeper.ts';
import { isKept } from './keeping/life.ts';
import { loggedContainer } from './logged-container.ts';
import { parseName } from './name.ts';
import type { ExecOptions } from './options.ts';
import { refusePaused } from './pausing.ts';
import { presentRecord } from './present-record.ts';
import type { Program } from './program.ts';
import type { ContainerRecord } from './record.ts';
import { goesWithHandle, optionsOf } from './record-options.ts';
import type { Removals } from './removals.ts';
import type { ContainerRepository } from './repository.ts';
import type { ResourceOperations } from './resource-operations.ts';
import { detachable, detachKeysFor } from './session-attachment.ts';
import type { StateReader } from './state-reader.ts';
import type { Stopper } from './stopper.ts';
import type { Supervised, Supervision } from './supervision.ts';
import { type ContainerProcesses, readProcesses, type TopOptions } from './top/top.ts';
import type { Waiter, WaitOptions } from './waiter.ts';

/** What a container can be asked to do, by id. One object serves all handles of a runtime. */
export class ContainerOperations {
  readonly files: FileOperations;
  readonly resources: ResourceOperations;
  readonly #repository: ContainerRepository;
  readonly #states: StateReader;
  readonly #supervision: Supervision;
  readonly #launcher: ContainerLauncher;
  readonly #execs: ExecLauncher;
  readonly #register: ExecRegister;
  readonly #logs: LogService;
  readonly #inspector: Inspector;
  readonly #removals: Removals;
  readonly #keeper: Keeper;
  readonly #stopper: Stopper;
  readonly #waiter: Waiter;
  readonly #history: EventRecorder;
  readonly #events: EventHub;
  readonly #foreign: ForeignEvents;
  readonly #gate: Gate;
  readonly #listened: () => void;

  constructor(parts: {
    resources: ResourceOperations;
    repository: ContainerRepository;
    states: StateReader;
    supervision: Supervision;
    launcher: ContainerLauncher;
    execs: ExecLauncher;
    register: ExecRegister;
    logs: LogService;
    inspector: Inspector;
    removals: Removals;
    keeper: Keeper;
    stopper: Stopper;
    waiter: Waiter;
    history: EventRecorder;
    events: EventHub;
    foreign: ForeignEvents;
    files: FileOperations;
    /** Of the runtime. */
    gate: Gate;
    /** Somebody has begun to listen to a container. */
    listened(): void;
  }) {
    this.resources = parts.resources;
    this.#repository = parts.repository;
    this.#states = parts.states;
    this.#supervision = parts.supervision;
    this.#launcher = parts.launcher;
    this.#execs = parts.execs;
    this.#register = parts.register;
    this.#logs = parts.logs;
    this.#inspector = parts.inspector;
    this.#removals = parts.removals;
    this.#keeper = parts.keeper;
    this.#stopper = parts.stopper;
    this.#waiter = parts.waiter;
    this.#history = parts.history;
    this.#events = parts.events;
    this.#foreign = parts.foreign;
    this.files = parts.files;
    this.#gate = parts.gate;
    this.#listened = parts.listened;
  }

  async start(id: ContainerId, options: StartOptions): Promise<Attachment> {
    const checked = given.start(options);
    return this.#gate.passInTurn(() => this.#present(id, (record) => this.#start(record, checked)));
  }

  /** Starts an ephemeral container that only the caller knows of, and removes as soon as it has ended. */
  startBriefly(id: ContainerId, options: StartOptions): Promise<Attachment> {
    const checked = given.start(options);
    return this.#gate.passInTurn(async () => {
      const record = this.#record(id);
      const isBrief = goesWithHandle(record) && !isKept(record);
      return isBrief ? this.#launcher.startBriefly(record, checked) : this.#start(record, checked);
    });
  }

  /** Starts an ephemeral container up to its program. */
  prepare(id: ContainerId): Promise<PreparedContainer> {
    return this.#gate.passInTurn(() => this.#launcher.prepare(this.#record(id), this.#gate.signal));
  }

  /** Within the runtime's life. */
  runPrepared(prepared: PreparedContainer, program: Program): Promise<Attachment> {
    return this.#gate.pass(() => prepared.run(program));
  }

  #start(record: ContainerRecord, options: StartOptions): Promise<Attachment> {
    const started = this.#keeper.begin(record, (life) => this.#launcher.start(record, options, life));
    const { attach } = options;
    return attach?.stdin === true ? started.then((one) => this.#detachable(record, one, attach)) : started;
  }

  #detachable(record: ContainerRecord, attachment: Attachment, attach: AttachOptions): Attachment {
    const keys = detachKeysFor(attach.detachKeys, { tty: optionsOf(record).tty, stdin: attach.stdin === true });
    if (keys === null) return attachment;
    return detachable(attachment, keys, async () => {
      this.#history.record(containerEvent(record, 'detach'));
      await attachment.close();
    });
  }

  async stop(id: ContainerId, options: StopOptions): Promise<ExitResult> {
    const checked = given.stop(options);
    return this.#stopper.stop(this.#record(id), checked);
  }

  async kill(id: ContainerId, signal: NodeJS.Signals | number, options: OperationOptions): Promise<void> {
    const number = signalNumber(signal);
    const { signal: aborted } = given.kill(options);
    aborted?.throwIfAborted();
    await raceSignal(this.#stopper.kill(this.#record(id), number), aborted);
  }

  async restart(id: ContainerId, options: StopOptions): Promise<void> {
    const checked = given.stop(options);
    const record = this.#record(id);
    try {
      if (this.#states.refresh(record).state.status !== 'created') await this.#stopper.stop(record, checked, true);
      await this.start(id, checked.signal === undefined ? {} : { signal: checked.signal });
    } catch (error) {
      await this.#keeper.notRestarted(record);
      throw error;
    }
    this.#history.record(containerEvent(record, 'restart'));
  }

  async wait(id: ContainerId, options: WaitOptions): Promise<ExitResult> {
    const checked = given.wait(options);
    return this.#waiter.wait(this.#record(id), checked);
  }

  async exec(id: ContainerId, command: readonly string[], options?: ExecOptions): Promise<ProgramResult> {
    const call = given.exec(command, options);
    if (call.exec.stdin && call.input === undefined)
      throw new HakoError(
        'INVALID_OPTION',
        'exec() waits for the end of the program, so nobody could feed it: give its input, or use startExec().',
      );
    const exec = await this.#startExec(id, call);
    try {
      const result = await collect(exec, call.maxOutput);
      call.signal?.throwIfAborted();
      return result;
    } finally {
      // The program has ended, or ends with its session: there is nothing to wait for.
      exec.close().catch(noResult);
    }
  }

  async startExec(id: ContainerId, command: readonly string[], options?: ExecOptions): Promise<Exec> {
    return this.#startExec(id, given.exec(command, options));
  }

  async execs(id: ContainerId): Promise<readonly ExecInspection[]> {
    return this.#register.list(this.#record(id).id);
  }

  async inspectExec(id: ContainerId, execId: string): Promise<ExecInspection> {
    return this.#register.find(this.#record(id).id, givenName(execId, 'An exec'));
  }

  async attachExec(id: ContainerId, execId: string, options: AttachOptions): Promise<ExecAttachment> {
    const checked = given.attach(options);
    const name = givenName(execId, 'An exec');
    return this.#present(id, async (record) => {
      const attachment = await this.#execs.attachExec(await this.#supervision.require(record), name, checked);
      const keys = detachKeysFor(checked.detachKeys, { tty: attachment.tty, stdin: checked.stdin ?? false });
      return keys === null ? attachment : detachable(attachment, keys, () => attachment.close());
    });
  }

  async attach(id: ContainerId, options: AttachOptions): Promise<Attachment> {
    const checked = given.attach(options);
    return this.#present(id, async (record) => {
      const attachment = await this.#execs.attach(await this.#supervision.require(record), checked);
      this.#history.record(containerEvent(record, 'attach'));
      return this.#detachable(record, attachment, checked);
    });
  }

  async resize(id: ContainerId, size: TerminalSize): Promise<void> {
    const { rows, columns } = given.size(size);
    const supervised = await this.#running(id);
    (await this.#supervision.control(supervised)).resize(rows, columns);
    this.#history.record(containerEvent(supervised.record, 'resize', { height: String(rows), width: String(columns) }));
  }

  async *logs(id: ContainerId, options: LogsOptions): AsyncIterable<LogEntry> {
    const query = given.logs(options);
    const record = this.#record(id);
    const supervised = await this.#supervision.find(record);
    const ended = supervised === null ? Promise.resolve() : supervised.ended.then(noResult, noResult);
    yield* this.#logs.read(loggedContainer(record, this.#states.directory(id)), query, ended, query);
  }

  async rename(id: ContainerId, name: string): Promise<string> {
    const parsed = parseName(givenName(name, 'A container'));
    if (this.#record(id).name !== parsed) this.#repository.rename(id, parsed);
    return parsed;
  }

  async top(id: ContainerId, options: TopOptions): Promise<ContainerProcesses> {
    const { psArgs, signal } = given.top(options);
    signal?.throwIfAborted();
    const { record } = await this.#running(id);
    this.#history.record(containerEvent(record, 'top'));
    return readProcesses(realHostFiles, runningState(record).supervisor.pid, psArgs ?? '-ef');
  }

  async logCounts(id: ContainerId): Promise<LogCounts> {
    const { logRecordsWritten, logRecordsLost } = await (await this.#control(id)).state();
    return { written: Number(logRecordsWritten), lost: Number(logRecordsLost) };
  }

  async inspect(id: ContainerId): Promise<ContainerInspection> {
    return this.#present(id, (record) => this.#inspector.inspect(record));
  }

  async remove(id: ContainerId, removeOptions: RemoveOptions): Promise<void> {
    const options = given.remove(removeOptions);
    await this.#gate.passInTurn(() => this.#removals.remove(id, options));
  }

  /** Inside the gate. @throws HakoError `HAKO_ERR_CONTAINER_RUNNING` */
  removeAtRest(id: ContainerId): Promise<void> {
    return this.#removals.remove(id, {});
  }

  /** What closing a handle means for an ephemeral container; the end of the runtime has meant it already. */
  async discard(id: ContainerId): Promise<void> {
    try {
      await this.#gate.passInTurn(() => this.#removals.removeIfPresent(id));
    } catch (error) {
      if (!hasHakoCode(error, 'HAKO_ERR_RUNTIME_CLOSED')) throw error;
    }
  }

  /** @returns what ends the subscription */
  subscribe<Event extends keyof ContainerEvents>(
    id: ContainerId,
    event: Event,
    listener: (...values: ContainerEvents[Event]) => void,
  ): () => void {
    const unsubscribe = this.#events.subscribe(id, event, listener);
    const unfollow = this.#foreign.follow(id);
    this.#listened();
    // One that another process started is heard of only through a session of this one's.
    const record = this.#repository.find(id);
    if (record?.state.status === 'running') this.#supervision.find(record).catch(noResult);
    return () => {
      unsubscribe();
      unfollow();
    };
  }

  async #startExec(id: ContainerId, call: GivenExec): Promise<Exec> {
    return this.#gate.passInTurn(() =>
      this.#present(id, async (record) => {
        refusePaused(record, 'Unpause it, then run programs in it.');
        const started = await this.#execs.start(await this.#supervision.require(record), call);
        if (call.input !== undefined) started.stdin.on('error', () => {}).end(call.input);
        return this.#register.add(record, call, started);
      }),
    );
  }

  #running(id: ContainerId): Promise<Supervised> {
    return this.#supervision.require(this.#record(id));
  }

  async #control(id: ContainerId): Promise<SupervisorSession> {
    return this.#supervision.control(await this.#running(id));
  }

  /** Does something to a container that is there. What fails because it is removed meanwhile says that. */
  async #present<T>(id: ContainerId, work: (record: ContainerRecord) => Promise<T>): Promise<T> {
    const record = this.#record(id);
    try {
      return await work(record);
    } catch (error) {
      if (error instanceof HakoError || hasErrno(error, 'ENOENT')) this.#record(id);
      throw error;
    }
  }

  #record(id: ContainerId): ContainerRecord {
    return presentRecord(this.#repository, id);
  }
}

function noResult(): void {}
