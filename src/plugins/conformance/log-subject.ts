import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ContainerId } from '../../base/ids.ts';
import { newContainerId } from '../../base/ids.ts';
import type { LogContainerInfo, LogDriver, LogEntry, LogQuery } from '../../contracts/log-driver.ts';
import type { OperationOptions } from '../../contracts/operation.ts';
import { contextOn, type TestContext, testContext } from './context.ts';
import type { LogDriverSubject } from './log-driver.ts';
import { type LogOutput, sinkOutput } from './sink-output.ts';
import { writerOutput } from './writer-output.ts';

/** A container whose output goes where its driver wants it. All of it is gone when it is disposed of. */
export class LoggedSubject implements AsyncDisposable {
  readonly container: LogContainerInfo;
  readonly driver: LogDriver;
  readonly context: TestContext;
  readonly #subject: LogDriverSubject;
  #output: LogOutput | null = null;
  #rotations: Promise<void>[] = [];
  readonly #ended = Promise.withResolvers<void>();

  private constructor(subject: LogDriverSubject, context: TestContext, driver: LogDriver) {
    this.#subject = subject;
    this.context = context;
    this.driver = driver;
    this.container = logContainer(newContainerId(), mkdtempSync(join(tmpdir(), 'hako-log-conformance-')));
  }

  static async create(subject: LogDriverSubject): Promise<LoggedSubject> {
    const context = testContext(subject.native);
    return new LoggedSubject(subject, context, await subject.create(context));
  }

  /** Another driver on the same container, as another process would have it. */
  anotherDriver(): Promise<LogDriver> {
    return this.#subject.create(contextOn(this.context.directory, this.#subject.native));
  }

  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** The container starts, if it does not run, and prints. */
  async print(text: string, stream: 'stdout' | 'stderr' = 'stdout'): Promise<void> {
    if (this.#output === null) {
      const sink = await this.driver.open(this.container);
      const rotated = (): void => {
        this.#rotations.push(this.driver.rotated?.(this.container) ?? Promise.resolve());
      };
      const surroundings = { rotated, lock: this.context.native.lock };
      this.#output =
        sink.kind === 'journal' && this.driver.writer !== undefined
          ? writerOutput(await this.driver.writer(this.container))
          : (this.#subject.output ?? sinkOutput)(sink, this.container.directory, surroundings);
    }
    await this.#output.write(stream, text);
  }

  /** The container ends; after the last time its log is complete. */
  async end({ last = true } = {}): Promise<void> {
    await this.#output?.[Symbol.asyncDispose]();
    this.#output = null;
    if (last) this.#ended.resolve();
  }

  /** Fails when the driver cannot read. */
  entries(query: LogQuery = {}, options?: OperationOptions, driver = this.driver): AsyncIterable<LogEntry> {
    if (driver.read === undefined) throw new Error('this driver cannot read');
    return driver.read(this.container, query, this.ended, options);
  }

  async read(query: LogQuery = {}, driver = this.driver): Promise<LogEntry[]> {
    return collect(this.entries(query, undefined, driver));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.end();
      await Promise.all(this.#rotations);
      await this.driver[Symbol.asyncDispose]();
    } finally {
      rmSync(this.container.directory, { recursive: true, force: true });
      this.context[Symbol.dispose]();
    }
  }
}

function logContainer(id: ContainerId, directory: string): LogContainerInfo {
  return {
    id,
    name: 'conformance',
    command: '/bin/true',
    imageId: `sha256:${'0'.repeat(64)}`,
    imageName: 'docker.io/library/busybox:latest',
    hostname: 'host',
    createdAt: new Date(),
    labels: { app: 'conformance' },
    env: ['PATH=/bin'],
    directory,
  };
}

export async function collect(entries: AsyncIterable<LogEntry>): Promise<LogEntry[]> {
  const all: LogEntry[] = [];
  for await (const entry of entries) all.push(entry);
  return all;
}

export function textOf(entry: Pick<LogEntry, 'line'>): string {
  return Buffer.from(entry.line).toString();
}
