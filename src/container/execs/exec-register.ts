import { HakoError } from '../../base/errors.ts';
import type { ContainerId } from '../../base/ids.ts';
import type { EventRecorder } from '../../contracts/events.ts';
import type { Exec } from '../attachment.ts';
import type { GivenExec } from '../call-options.ts';
import { containerEvent } from '../container-event.ts';
import type { StartedExec } from '../exec-launcher.ts';
import type { ContainerRecord } from '../record.ts';
import { detachable, detachKeysFor } from '../session-attachment.ts';
import type { ExecInspection } from './exec-inspection.ts';

/** How many of a container are remembered, unless more than that run. */
const mostKept = 100;

/** The execs that this process has started, while they run and for some time after. */
export class ExecRegister {
  readonly #history: EventRecorder;
  readonly #execs = new Map<ContainerId, Map<string, ExecInspection>>();

  constructor(history: EventRecorder) {
    this.#history = history;
  }

  add(record: ContainerRecord, { command, exec: options }: GivenExec, started: StartedExec): Exec {
    const { id } = started;
    const { tty, privileged, detached } = options;
    const begun: ExecInspection = {
      ...{ id, command, tty, privileged, detached, pid: started.pid },
      ...{ running: true, startedAt: new Date(), exitCode: null, signal: null, finishedAt: null },
    };
    this.#of(record.id).set(id, begun);
    this.#tell(record, 'exec_create', { execId: id, command: command.join(' ') });
    this.#tell(record, 'exec_start', { execId: id });
    started.exited.then(
      ({ exitCode, signal, finishedAt }) => {
        this.#end(record, id, { exitCode, signal, finishedAt });
        this.#tell(record, 'exec_die', { execId: id, exitCode: String(exitCode) });
      },
      // Its session was closed: it was killed with that, or goes on where nobody here hears of its end.
      () => this.#end(record, id, {}),
    );
    const detach = async () => {
      await started.detach();
      const known = this.#execs.get(record.id)?.get(id);
      if (known === undefined || known.detached) return;
      this.#of(record.id).set(id, { ...known, detached: true });
      this.#tell(record, 'exec_detach', { execId: id });
    };
    const exec: Exec = { ...started, detach, inspect: () => this.find(record.id, id) };
    const keys = detachKeysFor(options.detachKeys, options);
    if (keys === null) return exec;
    return detachable(exec, keys, detach);
  }

  /** The newest last. */
  list(id: ContainerId): readonly ExecInspection[] {
    return [...(this.#execs.get(id)?.values() ?? [])];
  }

  /** @throws HakoError `HAKO_ERR_EXEC_NOT_FOUND` */
  find(id: ContainerId, execId: string): ExecInspection {
    const exec = this.#execs.get(id)?.get(execId);
    if (exec !== undefined) return exec;
    throw new HakoError(
      'EXEC_NOT_FOUND',
      `There is no exec '${execId.slice(0, 64)}' in container ${id.slice(0, 12)} that this runtime has started and still remembers.`,
    );
  }

  ids(): Iterable<ContainerId> {
    return this.#execs.keys();
  }

  forget(id: ContainerId): void {
    this.#execs.delete(id);
  }

  #of(id: ContainerId): Map<string, ExecInspection> {
    const execs = this.#execs.get(id) ?? new Map<string, ExecInspection>();
    this.#execs.set(id, execs);
    return execs;
  }

  #end(
    { id }: ContainerRecord,
    execId: string,
    end: Partial<Pick<ExecInspection, 'exitCode' | 'signal' | 'finishedAt'>>,
  ): void {
    const execs = this.#execs.get(id);
    const exec = execs?.get(execId);
    if (execs === undefined || exec === undefined) return;
    execs.set(execId, { ...exec, ...end, running: false });
    if (execs.size <= mostKept) return;
    const oldest = [...execs.values()].find(({ running }) => !running);
    if (oldest !== undefined) execs.delete(oldest.id);
  }

  #tell(
    record: ContainerRecord,
    action: 'exec_create' | 'exec_start' | 'exec_die' | 'exec_detach',
    attributes: Readonly<Record<string, string>>,
  ): void {
    this.#history.record(containerEvent(record, action, attributes));
  }
}
