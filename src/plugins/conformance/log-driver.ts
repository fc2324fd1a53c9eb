import { describe } from 'vitest';
import type { LogContainerInfo, LogDriver, LogEntry, LogSink } from '../../contracts/log-driver.ts';
import type { NativeServices } from '../../contracts/native-services.ts';
import type { PluginContext } from '../../contracts/plugin-definition.ts';
import { logFollowingCases } from './log-following.ts';
import { logReadingCases } from './log-reading.ts';
import { logSinkCases } from './log-sink.ts';
import { logWritingCases } from './log-writing.ts';
import type { LogOutput, SinkSurroundings } from './sink-output.ts';

/** What is known of an entry at the far end; some keep no streams. @public */
export type ReceivedEntry = Pick<LogEntry, 'line'> & Partial<Pick<LogEntry, 'stream'>>;

/** What {@link logDriverConformance} is to test. @public */
export interface LogDriverSubject {
  /**
   * Makes the driver, as the plugin's own `create` does; called often, also twice for one container. Its options must
   * not let it forget anything before a hundred short lines or 40 kB.
   */
  readonly create: (context: PluginContext) => Promise<LogDriver>;
  /** Whether the driver can read: false tests that it says so by having no `read`. */
  readonly reads: boolean;
  /** For drivers that have a writer: what has arrived of a container's output, in order. */
  readonly received?: (container: LogContainerInfo) => Promise<readonly ReceivedEntry[]>;
  /** The services of a real runtime, to test the driver with them. */
  readonly native?: NativeServices;
  /** What puts output into the sink, such as a real supervisor; by default the same work done in Node. */
  readonly output?: (sink: LogSink, directory: string, surroundings: SinkSurroundings) => LogOutput;
}

/**
 * The conformance kit for log drivers: a suite for vitest that holds a driver to every sentence of the `LogDriver`
 * contract. Call it in a test file of yours:
 *
 * ```ts
 * logDriverConformance({ create: (context) => myDriver.create(context, {}), reads: true });
 * ```
 *
 * @public
 */
export function logDriverConformance(subject: LogDriverSubject): void {
  describe('the sink', () => logSinkCases(subject));
  const { received } = subject;
  if (received !== undefined) describe('writing', () => logWritingCases(subject, received));
  if (!subject.reads) return;
  describe('reading', () => logReadingCases(subject));
  describe('following', () => logFollowingCases(subject));
}
