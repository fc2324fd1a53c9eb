import type { OperationSubject } from '../../base/observation.ts';
import type { Container } from '../container.ts';
import type { CreateOptions } from '../containers.ts';
import type { ContainerOperations } from '../operations.ts';
import { ContainerPool } from './container-pool.ts';
import { type PoolOptions, parsePool } from './pool-options.ts';

/** What list() and inspect() show until there is a program. */
const noProgramYet = ['hako:prepared'];

/** The pools of a runtime. */
export class Pools {
  readonly #open = new Set<ContainerPool>();
  readonly #operations: Pick<ContainerOperations, 'prepare' | 'runPrepared'>;
  readonly #subject: (image: unknown) => OperationSubject;
  readonly #warn: (message: string, cause?: unknown) => void;

  constructor(
    operations: Pick<ContainerOperations, 'prepare' | 'runPrepared'>,
    subject: (image: unknown) => OperationSubject,
    warn: (message: string, cause?: unknown) => void,
  ) {
    this.#operations = operations;
    this.#subject = subject;
    this.#warn = warn;
  }

  async open<Choice>(
    options: PoolOptions<Choice>,
    create: (settings: CreateOptions<Choice>) => Promise<Container>,
  ): Promise<ContainerPool> {
    const { size, settings } = parsePool(options);
    settings.signal?.throwIfAborted();
    const { signal: _, ...lasting } = settings;
    const pool = new ContainerPool({
      size,
      subject: this.#subject(lasting.image),
      // Its output goes to the caller, and its handle to nobody: there is no one to read a log.
      create: () =>
        create({
          log: 'none',
          ...lasting,
          command: noProgramYet,
          ephemeral: true,
          stdin: true,
        } as CreateOptions<Choice>),
      prepare: ({ id }) => this.#operations.prepare(id),
      run: (prepared, program) => this.#operations.runPrepared(prepared, program),
      warn: this.#warn,
      closed: (closed) => void this.#open.delete(closed),
    });
    this.#open.add(pool);
    try {
      return await pool.open();
    } catch (error) {
      await pool.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open].map((pool) => pool.close()));
  }
}
