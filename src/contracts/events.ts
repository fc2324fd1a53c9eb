import type { ContainerId } from '../base/ids.ts';

/** What happened to a container; `time` is when hako learnt of it. @public */
export interface ContainerEvent {
  readonly id: ContainerId;
  readonly name: string;
  readonly time: Date;
}

/** How a container or an exec ended. @public */
export interface ExitResult {
  /** 0–255; 128 + the signal for one that was killed. */
  readonly exitCode: number;
  /** The number of the signal that ended it, or null. */
  readonly signal: number | null;
  /** Whether the kernel killed a process of it for want of memory. */
  readonly oomKilled: boolean;
  /** By the host's clock. */
  readonly finishedAt: Date;
}

/** Processes of a container that the kernel has killed for want of memory. @public */
export interface OomKills {
  /** Since the container was started. */
  readonly kills: number;
}

/** The events of a runtime, with the arguments of their listeners. @public */
export interface RuntimeEvents {
  'container:create': [ContainerEvent];
  'container:start': [ContainerEvent & { readonly pid: number }];
  'container:exit': [ContainerEvent & ExitResult];
  /** The kernel has killed a process of it for want of memory; the container may go on. */
  'container:oom': [ContainerEvent & OomKills];
  'container:pause': [ContainerEvent];
  'container:unpause': [ContainerEvent];
  /** Its limits were changed. */
  'container:update': [ContainerEvent];
  'container:health': [ContainerEvent & { readonly status: 'starting' | 'healthy' | 'unhealthy' }];
  'container:remove': [ContainerEvent];
  'image:import': [{ readonly id: string; readonly name: string; readonly time: Date }];
  'image:remove': [{ readonly id: string; readonly time: Date }];
  /** The runtime has begun to close. */
  close: [];
  /** Something went wrong in the background that no promise could tell of. */
  warning: [{ readonly message: string; readonly cause?: unknown }];
}

/** What can happen to a container or an image, in Docker's words; a newer hako on the same root may know more. @public */
export type EventAction =
  | 'attach'
  | 'commit'
  | 'copy'
  | 'create'
  | 'delete'
  | 'destroy'
  | 'detach'
  | 'die'
  | 'exec_create'
  | 'exec_detach'
  | 'exec_die'
  | 'exec_start'
  | 'export'
  | 'health_status'
  | 'import'
  | 'kill'
  | 'oom'
  | 'pause'
  | 'prune'
  | 'rename'
  | 'resize'
  | 'restart'
  | 'start'
  | 'stop'
  | 'top'
  | 'unpause'
  | 'update';

/** An event of a root's history, whichever process brought it about. @public */
export interface HistoryEvent {
  /** Grows with every event of the root; what is read later has a higher one. */
  readonly sequence: number;
  readonly time: Date;
  readonly type: 'container' | 'image';
  readonly action: EventAction;
  /** Of the container, or the image. */
  readonly id: string;
  /** A container's name, an image's reference. */
  readonly name: string;
  /** By what name a container's image was asked for. */
  readonly image: string;
  /** Of the container; none for an image. */
  readonly labels: Readonly<Record<string, string>>;
  /** What the action has to tell: `exitCode`, `signal`, `oldName`, `execId` … */
  readonly attributes: Readonly<Record<string, string>>;
}

/** An event that is about to be recorded. */
export interface NewEvent {
  readonly type: HistoryEvent['type'];
  readonly action: EventAction;
  readonly id: string;
  readonly name: string;
  readonly image?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly attributes?: Readonly<Record<string, string>>;
}

/**
 * Takes events into a root's history. Those that go with a change of a container's record (`create`, `start`, `die`,
 * `oom`, `destroy`, `rename`) write themselves, in the transaction that changes it.
 */
export interface EventRecorder {
  record(event: NewEvent): void;
}
