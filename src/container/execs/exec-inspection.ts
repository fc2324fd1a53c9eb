/** What is known of a further program in a container. @public */
export interface ExecInspection {
  /** 64 hex digits. */
  readonly id: string;
  readonly command: readonly string[];
  readonly tty: boolean;
  readonly privileged: boolean;
  readonly detached: boolean;
  /** On the host. */
  readonly pid: number;
  readonly running: boolean;
  readonly startedAt: Date;
  /** Null while it runs, and when its end is not known. */
  readonly exitCode: number | null;
  readonly signal: number | null;
  readonly finishedAt: Date | null;
}
