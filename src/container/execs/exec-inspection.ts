/** What is known of a further program in a container. @public */
export interface ExecInspection {
  /** 64 hex digits. */
  readonly id: string;
  readonly command: readonly string[];
  readonly tty: boolean;
  /** Whether it has all capabilities. */
  readonly privileged: boolean;
  /** Whether it goes on without its session. */
  readonly detached: boolean;
  /** On the host. */
  readonly pid: number;
  readonly running: boolean;
  readonly startedAt: Date;
  /** Null while it runs, and when its end is not known. */
  readonly exitCode: number | null;
  /** What has killed it; null: nothing has, or that is not known. */
  readonly signal: number | null;
  /** Null while it runs. */
  readonly finishedAt: Date | null;
}
