/** Frames that go to the supervisor after (or instead of) a request. */
export type ClientFrame =
  | {
      readonly type: 'attach';
      readonly stdin: boolean;
      readonly stdout: boolean;
      readonly stderr: boolean;
      /** The beginning of an exec's id; none: the container's first process. */
      readonly exec?: string;
    }
  | { readonly type: 'state' }
  | { readonly type: 'signal'; readonly signal: number }
  /** At most 64 KiB of data. */
  | { readonly type: 'stdin'; readonly data: Uint8Array }
  | { readonly type: 'stdin-eof' }
  | { readonly type: 'resize'; readonly rows: number; readonly columns: number }
  /** Whether this session's end ends a container that is not detached, or the exec that it has started. */
  | { readonly type: 'hold'; readonly hold: boolean }
  /** A control group that the container is to have besides those that it was started in. */
  | { readonly type: 'group'; readonly directory: string };

export interface StartedFrame {
  readonly type: 'started';
  /** In the supervisor's pid namespace. */
  readonly pid: number;
  /** In clock ticks since boot: field 22 of proc_pid_stat(5). With the pid, it names the process for good. */
  readonly startTime: bigint;
  /** Nanoseconds since the epoch. */
  readonly startedAt: bigint;
  readonly uid: number;
  readonly gid: number;
  readonly tty: boolean;
}

export interface FailedFrame {
  readonly type: 'failed';
  readonly operation: string;
  /** 0: not a system call's. */
  readonly errno: number;
  readonly detail: string;
}

/** The container waits to be told what to run. */
export interface PreparedFrame {
  readonly type: 'prepared';
}

export interface OutputFrame {
  readonly type: 'output';
  readonly stream: 'stdout' | 'stderr';
  /** A view of the chunk that the decoder was given. */
  readonly data: Uint8Array;
}

export interface ExitedFrame {
  readonly type: 'exited';
  /** 0–255; 128 + signal when killed by one. */
  readonly exitCode: number;
  /** 0: none. */
  readonly signal: number;
  readonly oomKilled: boolean;
  /** Nanoseconds since the epoch. */
  readonly finishedAt: bigint;
  /** Nothing of the container is left in the kernel. */
  readonly cleared: boolean;
}

export interface StateReplyFrame {
  readonly type: 'state-reply';
  readonly running: boolean;
  readonly pid: number;
  /** As in {@link StartedFrame}. */
  readonly startTime: bigint;
  /** Nanoseconds since the epoch. */
  readonly startedAt: bigint;
  readonly liveExecs: number;
  readonly logRecordsWritten: bigint;
  readonly logRecordsLost: bigint;
}

export interface LogRotatedFrame {
  readonly type: 'log-rotated';
}

export interface OomFrame {
  readonly type: 'oom';
  /** Since the start. */
  readonly kills: number;
}

/** Frames that come from the supervisor. */
export type Frame =
  | PreparedFrame
  | StartedFrame
  | FailedFrame
  | OutputFrame
  | ExitedFrame
  | StateReplyFrame
  | LogRotatedFrame
  | OomFrame;
