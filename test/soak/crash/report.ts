/** What the victim says of each operation, one line of JSON each, as it begins and when it is over. */
export interface Report {
  readonly operation: Operation;
  readonly name: string;
  readonly phase: 'begun' | 'done' | 'failed';
  /** Of a creation. */
  readonly made?: Made;
  readonly error?: string;
}

export type Operation =
  | 'open'
  | 'create'
  | 'start'
  | 'stop'
  | 'exec'
  | 'logs'
  | 'update'
  | 'pause'
  | 'copy'
  | 'commit'
  | 'remove'
  | 'run'
  | 'pool'
  | 'import'
  | 'untag';

/** What a container was made as. */
export interface Made {
  readonly detached: boolean;
  readonly endless: boolean;
  readonly lines: number;
  /** It has a restart policy and a health check: its keeper starts it again, and programs of its own in it. */
  readonly kept: boolean;
}
