import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { Disposer } from '../base/dispose.ts';
import { HakoError } from '../base/errors.ts';
import type { ContainerId } from '../base/ids.ts';
import { raceSignal } from '../base/signal.ts';
import { signalNumber } from '../base/signal-number.ts';
import { removeGroups } from '../cgroup/index.ts';
import type { NativeBinding } from '../contracts/native-binding.ts';
import { ownIdentity } from '../host/process-identity.ts';
import { EXIT_RECORD, type StartedFrame } from '../native/protocol.ts';
import type { Attachment } from './attachment.ts';
import type { StartOptions } from './container.ts';
import { openNamespace } from './first-process.ts';
import type { Isolation, IsolationPlanner } from './isolation.ts';
import type { Life } from './keeping/life.ts';
import type { LaunchedSupervisor, SpawnedSupervisor, SupervisorLauncher } from './launcher.ts';
import { type Program, programOfRecord, withProgram } from './program.ts';
import type { ContainerRecord, RecordedState } from './record.ts';
import { optionsOf } from './record-options.ts';
import type { ContainerRepository } from './repository.ts';
import { sessionAttachment } from './session-attachment.ts';
import { joinedNamespaces } from './spec/index.ts';
import { type StartRequestParts, StartRequests } from './start-requests.ts';
import type { Supervision } from './supervision.ts';
import type { UnwrittenRuns } from './unwritten-runs.ts';

export interface ContainerLauncherParts extends StartRequestParts {
  readonly repository: ContainerRepository;
  readonly planner: IsolationPlanner;
  readonly launcher: SupervisorLauncher;
  readonly supervision: Supervision;
  readonly unwritten: UnwrittenRuns;
  readonly native: NativeBinding;
  /** Makes the parents of control groups, which another runtime may have removed when it closed. */
  openGroups(): Promise<unknown>;
  started(record: ContainerRecord, pid: number): void;
}

/** How a start begins: with `wait` up to its program; one that is `brief` is written down when it has run for a while. */
interface Beginning {
  readonly options: StartOptions;
  readonly wait: boolean;
  readonly brief: boolean;
  readonly life?: Life | undefined;
}

/** A start that is under way: what it claims, and who carries it out. */
interface Launch {
  readonly record: ContainerRecord;
  /** The same, `starting`. */
  readonly claim: ContainerRecord;
  /** Of one that waited: with what it was told to run. */
  readonly told?: ContainerRecord;
  readonly cgroups: Extract<RecordedState, { status: 'running' }>['cgroups'];
  readonly brief: boolean;
  readonly kept: { readonly life?: Life };
  readonly supervisor: LaunchedSupervisor;
}

/** A container that has everything but its program. */
export interface PreparedContainer {
  /** Rejects when it was killed, or its supervisor was. */
  readonly ended: Promise<unknown>;
  /** Once. As a start: there is a program that runs, or a container that was never started. */
  run(program: Program): Promise<Attachment>;
  /** Makes it one that was never started. */
  cancel(): Promise<void>;
}

/** The parents of control groups are gone so often in a row only when runtimes open and close without a pause. */
const mostLaunches = 10;

/** A supervisor whose program has ended is gone within some ten seconds, whatever its peers do. */
const mostVisits = 150;
const betweenVisits = 100;

/** Starts containers: from a record to a running process, or to nothing at all. */
export class ContainerLauncher {
  readonly #parts: ContainerLauncherParts;
  readonly #requests: StartRequests;
  readonly #spawned = new Map<ContainerId, SpawnedSupervisor>();

  constructor(parts: ContainerLauncherParts) {
    this.#parts = parts;
    this.#requests = new StartRequests(parts);
  }

  /** Spawns the supervisor of a container that will be started as soon as it is made, which takes about as long. */
  expect(id: ContainerId): void {
    const spawned = this.#parts.launcher.spawn(this.#parts.states.directory(id));
    spawned.child.catch(() => {});
    this.#spawned.set(id, spawned);
  }

  /** It will not be. */
  expectNoMore(id: ContainerId): void {
    const spawned = this.#takeSpawned(id);
    if (spawned !== undefined) this.#parts.launcher.drop(spawned);
  }

  /** @param life - of a container that is kept; one that is restarted is started from the state `restarting` */
  async start(claimed: ContainerRecord, options: StartOptions, life?: Life): Promise<Attachment> {
    const launch = await this.#begin(claimed, { options, wait: false, brief: false, life });
    return this.#run(launch, launch.supervisor.session.started, options.signal);
  }

  /** Starts an ephemeral container that only the caller knows of. */
  async startBriefly(claimed: ContainerRecord, options: StartOptions): Promise<Attachment> {
    const launch = await this.#begin(claimed, { options, wait: false, brief: true });
    return this.#run(launch, launch.supervisor.session.started, options.signal);
  }

  /** All of a start but the program. */
  async prepare(claimed: ContainerRecord, signal: AbortSignal): Promise<PreparedContainer> {
    const launch = await this.#begin(claimed, {
      options: { signal, attach: { stdin: true } },
      wait: true,
      brief: true,
    });
    const { session } = launch.supervisor;
    return {
      ended: session.exited,
      run: (program) => {
        const told = withProgram(launch.record, program);
        return this.#run({ ...launch, told }, session.go({ ...programOfRecord(told), stdin: program.stdin }));
      },
      cancel: async () => {
        await session.close();
        await launch.supervisor.ended;
        this.#parts.repository.changeState(launch.claim, launch.record.state);
      },
    };
  }

  async #begin(claimed: ContainerRecord, how: Beginning): Promise<Launch> {
    const { states, supervision, unwritten } = this.#parts;
    how.options.signal?.throwIfAborted();
    await supervision.departed(claimed.id);
    for (let found: ContainerRecord | null = states.refresh(claimed); ; found = states.current(claimed.id)) {
      if (found === null) throw notFound(claimed);
      unwritten.forget(claimed.id);
      const launch = await this.#attempt(found, how);
      if (launch !== null) return launch;
    }
  }

  /** null: the record has been changed meanwhile. */
  async #attempt(record: ContainerRecord, how: Beginning): Promise<Launch | null> {
    const { options, wait, brief, life } = how;
    // A supervisor that was killed could not clear up.
    if (record.state.status === 'lost') await removeGroups(record.state.cgroups);
    const isolation = await this.#parts.planner.plan(record.id, record.mode, optionsOf(record));
    const cgroups = isolation.cgroup.groups.map((group) => ({ ...group, controllers: [...group.controllers] }));
    const kept = life === undefined ? {} : { life };
    const claim = this.#claim(record, {
      status: 'starting',
      by: ownIdentity(),
      cgroups,
      ...(wait ? { waiting: true } : {}),
      ...kept,
    });
    if (claim === null) return null;
    try {
      const supervisor = await this.#launchPatiently(record, isolation, how);
      return { record, claim, cgroups, brief, kept, supervisor };
    } catch (error) {
      this.#parts.repository.changeState(claim, record.state);
      options.signal?.throwIfAborted();
      throw error;
    }
  }

  async #run(launch: Launch, starting: Promise<StartedFrame>, signal?: AbortSignal): Promise<Attachment> {
    const { record, claim, told = record, cgroups, brief, kept, supervisor } = launch;
    const { repository, supervision, unwritten } = this.#parts;
    try {
      const started = await starting;
      const state: RecordedState = {
        status: 'running',
        startedAt: new Date(Number(started.startedAt / 1_000_000n)).toISOString(),
        pid: started.pid,
        supervisor: supervisor.identity,
        cgroups,
        ...kept,
      };
      const running = { ...told, state };
      const { session } = supervisor;
      if (brief) unwritten.started(running, () => this.#writeDown(launch, running));
      else if (!repository.changeState(claim, state)) throw notFound(record);
      if (optionsOf(record).detached) session.hold();
      const supervised = supervision.adopt(running, session, true, supervisor.ended);
      this.#parts.started(record, started.pid);
      // The output has been handed over when the session tells of the end, which others may have told before.
      const exited = session.exited.then(() => supervised.ended);
      exited.catch(() => {});
      return sessionAttachment(session, exited, async () => session.endStreams());
    } catch (error) {
      // Whatever runs cannot be recorded: nobody would find it again.
      await endUnrecorded(supervisor);
      repository.changeState(claim, record.state);
      signal?.throwIfAborted();
      throw error;
    }
  }

  /** What cannot be recorded is ended: nobody would find it again. */
  #writeDown({ record, told, supervisor }: Launch, { state }: ContainerRecord): void {
    const { repository, states } = this.#parts;
    try {
      if (states.current(record.id) === null) throw notFound(record);
      if (told !== undefined) repository.changeOptions({ ...record, state }, told.options);
    } catch {
      endUnrecorded(supervisor).catch(() => {});
    }
  }

  /** Of several that would start the same container, one gets to. null: the record is not what it was. */
  #claim(record: ContainerRecord, starting: Extract<RecordedState, { status: 'starting' }>): ContainerRecord | null {
    const { repository } = this.#parts;
    if (!isStartable(record.state, starting.life))
      throw new HakoError(
        'CONTAINER_ALREADY_STARTED',
        `Container '${record.name}' is running already, or just being made, started or removed.`,
      );
    if (!repository.changeState(record, starting)) return null;
    const claim = { ...record, state: starting };
    // Its limits may have been changed since they were read; from here on nobody changes them.
    const options = repository.find(record.id)?.options;
    if (options === record.options || isDeepStrictEqual(options, record.options)) return claim;
    repository.changeState(claim, record.state);
    return null;
  }

  /**
   * Again and again where other runtimes, as they close, take away the parents of control groups, and while the
   * supervisor of a run that another process had started still clears up, or somebody works on the files (RestLocks).
   */
  async #launchPatiently(...launch: [ContainerRecord, Isolation, Beginning]): Promise<LaunchedSupervisor> {
    const [record, , { options }] = launch;
    for (let attempt = 1; ; attempt++) {
      // What the last run left would be taken for this one's end.
      rmSync(join(this.#parts.states.directory(record.id), EXIT_RECORD), { force: true });
      try {
        return await this.#launch(...launch);
      } catch (error) {
        if (!(error instanceof HakoError)) throw error;
        const orphaned = error.operation === 'cgroup' && error.errno === 'ENOENT';
        const occupied = error.operation === 'state' && error.errno === 'EAGAIN';
        if ((!orphaned && !occupied) || attempt === (occupied ? mostVisits : mostLaunches))
          throw occupied ? this.#isOccupied(record, error) : error;
        if (occupied) await raceSignal(sleep(betweenVisits), options.signal);
        else await this.#parts.openGroups();
      }
    }
  }

  /** By a supervisor that does not go, or by somebody who works on its files. */
  #isOccupied({ id, name }: ContainerRecord, cause: HakoError): HakoError {
    const { states, native } = this.#parts;
    if (native.isLocked(states.directory(id))) return cause;
    const remedy = 'Let that end, or abort it, and start again.';
    return new HakoError('CONTAINER_BUSY', `Files of container '${name}' are still being worked on. ${remedy}`, {
      cause,
    });
  }

  async #launch(record: ContainerRecord, isolation: Isolation, how: Beginning): Promise<LaunchedSupervisor> {
    const { launcher, states } = this.#parts;
    const joins = joinedNamespaces(isolation.plan);
    // It was spawned without their descriptors.
    if (joins.length > 0) this.expectNoMore(record.id);
    await using opened = new Disposer();
    const joined = joins.map(({ container, file }) => {
      const fd = this.#openNamespace(container, file);
      opened.defer(() => this.#parts.native.close(fd));
      return fd;
    });
    // Waited for here: the descriptors of namespaces are needed until the supervisor has them.
    return await launcher.launch(
      this.#takeSpawned(record.id) ?? launcher.spawn(states.directory(record.id), joined),
      this.#requests.make(record, isolation, { attach: how.options.attach, wait: how.wait }),
      how.options.signal,
    );
  }

  #takeSpawned(id: ContainerId): SpawnedSupervisor | undefined {
    const spawned = this.#spawned.get(id);
    this.#spawned.delete(id);
    return spawned;
  }

  /** @throws HakoError `HAKO_ERR_CONTAINER_NOT_RUNNING` */
  #openNamespace(id: ContainerId, file: string): number {
    const { repository, states, native } = this.#parts;
    const record = repository.find(id);
    const state = record === null ? null : states.refresh(record).state;
    const fd = state?.status === 'running' ? openNamespace(native, state, file) : null;
    if (fd !== null) return fd;
    throw new HakoError(
      'CONTAINER_NOT_RUNNING',
      `Container '${record?.name ?? id.slice(0, 12)}', whose ${file} namespace is to be shared, is not running. Start it first.`,
    );
  }
}

/** A restart that somebody has stopped does not come back as a start. */
function isStartable({ status }: RecordedState, life: Life | undefined): boolean {
  if (life !== undefined && life.restarts > 0) return status === 'restarting';
  return status === 'created' || status === 'exited' || status === 'lost';
}

function notFound({ name }: ContainerRecord): HakoError {
  return new HakoError('CONTAINER_NOT_FOUND', `Container '${name}' was removed while it was being started.`);
}

async function endUnrecorded({ session, ended }: LaunchedSupervisor): Promise<void> {
  session.endStreams();
  session.signal(signalNumber('SIGKILL'));
  await session.exited.catch(() => {});
  await session.close();
  await ended;
}
