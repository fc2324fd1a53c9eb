import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Database } from './database.ts';

/** Some thousand pages, as much as SQLite itself lets gather. */
const commitsBetween = 256;

/**
 * Text, because a bundler knows nothing of a thread's file. What is committed meanwhile is left over, and keeps the log
 * from beginning anew: the longer it has grown, the harder is it tried.
 */
const thread = `
  const { parentPort, workerData } = require('node:worker_threads');
  const { DatabaseSync } = require('node:sqlite');
  const database = new DatabaseSync(workerData);
  const statement = database.prepare('PRAGMA wal_checkpoint(PASSIVE)');
  const checkpoint = (tries) => {
    const { busy, log, checkpointed } = statement.get();
    if (busy === 0 && checkpointed < log && tries < log / ${commitsBetween}) checkpoint(tries + 1);
  };
  parentPort.on('message', (isLast) => {
    try {
      checkpoint(0);
    } catch {
      // The next commit finds the disk full too, and tells.
    }
    if (!isLast) return;
    database.close();
    parentPort.close();
  });
`;

/**
 * Brings what was committed from the write-ahead log into the database (sqlite.org/wal.html, "Checkpointing"), in a
 * thread of its own. A checkpoint waits for the disk, which may take a tenth of a second, and on the main thread
 * everybody would wait with it. The thread is there from the first time that it is needed.
 */
export class Checkpointer implements AsyncDisposable {
  readonly #database: Database;
  readonly #path: string;
  readonly #warn: (message: string, cause: unknown) => void;
  #worker: Worker | undefined;
  #commits = 0;

  constructor(database: Database, path: string, warn: (message: string, cause: unknown) => void) {
    this.#database = database;
    this.#path = path;
    this.#warn = warn;
    database.leaveCheckpointsTo(() => this.#committed());
  }

  #committed(): void {
    if (++this.#commits < commitsBetween) return;
    this.#commits = 0;
    try {
      this.#worker ??= this.#start();
    } catch (cause) {
      // For want of processes, see pthread_create(3); whoever has just committed has done so all the same.
      this.#doWithout(cause as Error);
    }
    this.#worker?.postMessage(false);
  }

  #doWithout(cause: Error): void {
    this.#database.leaveCheckpointsTo(null);
    this.#warn(`The state store is seen to on the main thread, for want of another: ${cause.message}`, cause);
  }

  #start(): Worker {
    const worker = new Worker(thread, {
      eval: true,
      workerData: this.#path,
      name: 'hako-checkpoint',
      // Nothing of what the embedder loads into threads of theirs.
      execArgv: [],
      env: {},
      resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 1 },
    });
    worker.unref();
    worker.on('error', (cause) => this.#doWithout(cause));
    return worker;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#database.leaveCheckpointsTo(null);
    const worker = this.#worker;
    if (worker === undefined || worker.threadId === -1) return;
    worker.ref();
    const ended = once(worker, 'exit');
    worker.postMessage(true);
    await ended;
  }
}
