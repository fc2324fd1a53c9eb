/** What `libhako/testing` offers: programs that tests need for a minute. */
export type { ReadyCheck, ReadyOptions } from './testing/ready.ts';
export { Service, type ServiceOptions, startService } from './testing/service.ts';
export { type ServiceHooks, useService } from './testing/use-service.ts';
