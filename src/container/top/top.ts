import type { OperationOptions } from '../../contracts/operation.ts';
import type { HostFiles } from '../../host/files.ts';
import { type ContainerProcess, readMachine, readProcess } from './process-info.ts';
import { descendants } from './process-tree.ts';
import { columnsOf } from './ps-args.ts';

/** Which processes to show, and what of them. @public */
export interface TopOptions extends OperationOptions {
  /** As for ps(1): `'-ef'` (default), `'aux'`, `'-o pid,user,args'`. It chooses columns, not processes. */
  readonly psArgs?: string;
}

/** The processes of a container, as `docker top` shows them, and as they are. @public */
export interface ContainerProcesses {
  /** Of the columns of `rows`. */
  readonly titles: readonly string[];
  /** One for each process, with a text for each title. */
  readonly rows: readonly (readonly string[])[];
  readonly processes: readonly ContainerProcess[];
}

/** Reads the processes of the container that a supervisor watches over, from the host's /proc: nothing runs for it inside. */
export function readProcesses(files: HostFiles, supervisor: number, psArgs: string): ContainerProcesses {
  const columns = columnsOf(psArgs);
  const machine = readMachine(files);
  const processes = descendants(files, supervisor)
    .map((pid) => readProcess(files, pid, machine))
    .filter((process) => process !== null);
  const now = new Date();
  return {
    titles: columns.map(({ title }) => title),
    rows: processes.map((process) => columns.map((column) => column.text(process, now))),
    processes,
  };
}
