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
  readonly finishedAt: Date;
}

/** The events of a runtime, with the arguments of their listeners. @public */
export interface RuntimeEvents {
  'container:create': [ContainerEvent];
  'container:start': [ContainerEvent & { readonly pid: number }];
  'container:exit': [ContainerEvent & ExitResult];
  'container:oom': [ContainerEvent];
  'container:remove': [ContainerEvent];
  'image:import': [{ readonly id: string; readonly name: string; readonly time: Date }];
  'image:remove': [{ readonly id: string; readonly time: Date }];
  /** Something went wrong in the background that no promise could tell of. */
  warning: [{ readonly message: string; readonly cause?: unknown }];
}
