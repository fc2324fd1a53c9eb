import { HakoError } from '../base/errors.ts';
import { type Service, type ServiceOptions, startService } from './service.ts';

/**
 * The hooks of a test runner: `{ beforeAll, afterAll }` of vitest or Jest, `{ before, after }` of node:test.
 *
 * @public
 */
export type ServiceHooks =
  | {
      beforeAll(start: () => Promise<void>, milliseconds: number): unknown;
      afterAll(end: () => Promise<void>, milliseconds: number): unknown;
    }
  | {
      before(start: () => Promise<void>, options: { readonly timeout: number }): unknown;
      after(end: () => Promise<void>, options: { readonly timeout: number }): unknown;
    };

/** Seconds for what comes besides the service's own time: opening a runtime, removing a container. */
const besides = 30;

/**
 * A service for the tests of a file or a `describe`: started before the first, gone after the last.
 *
 * ```ts
 * const redis = useService({ beforeAll, afterAll }, { command: ['redis-server'], ready: { tcp: 6379 } });
 * test('ping', async () => { await redis().exec(['redis-cli', 'ping']); });
 * ```
 *
 * @returns what gives the service, inside of tests
 * @public
 */
export function useService(hooks: ServiceHooks, options: ServiceOptions): () => Service {
  let service: Service | undefined;
  const start = async () => {
    service = await startService(options);
  };
  const end = async () => {
    await service?.close();
  };
  const timeout = ((options.timeout ?? 30) + besides) * 1000;
  if ('beforeAll' in hooks) {
    hooks.beforeAll(start, timeout);
    hooks.afterAll(end, timeout);
  } else {
    hooks.before(start, { timeout });
    hooks.after(end, { timeout });
  }
  return () => {
    if (service === undefined)
      throw new HakoError(
        'SERVICE_NOT_READY',
        'The service starts before the first test, and has not started yet: ask for it inside of a test.',
      );
    return service;
  };
}
