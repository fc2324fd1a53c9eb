import { isAbsolute } from 'node:path';
import { expect, it } from 'vitest';
import type { LogDriverSubject } from './log-driver.ts';
import { LoggedSubject } from './log-subject.ts';

/** Where output goes. */
export function logSinkCases(subject: LogDriverSubject): void {
  it('is one that a supervisor can run', async () => {
    await using logged = await LoggedSubject.create(subject);
    const sink = await logged.driver.open(logged.container);
    expect(sink.kind).toBeOneOf(['none', 'json-file', 'journal']);
    if (sink.kind === 'journal') {
      expect(logged.driver.writer, 'what takes it out again').toBeDefined();
      expect(Number.isSafeInteger(sink.capacity) && sink.capacity > 0).toBe(true);
      expect(sink.mode).toBeOneOf(['blocking', 'non-blocking']);
    }
    if (sink.kind !== 'json-file') return;
    expect(sink.fileName, 'a name in the directory, and no path').toMatch(/^[^/\0]{1,200}$/);
    expect(sink.fileName).not.toBeOneOf(['.', '..']);
    expect(sink.maxSize === null || (Number.isSafeInteger(sink.maxSize) && sink.maxSize > 0)).toBe(true);
    expect(Number.isSafeInteger(sink.maxFiles) && sink.maxFiles >= 1).toBe(true);
    for (const value of Object.values(sink.attributes)) expect(value).toBeTypeOf('string');
  });

  it('is the same for each start of a container, and of another driver for it', async () => {
    await using logged = await LoggedSubject.create(subject);
    const sink = await logged.driver.open(logged.container);
    expect(await logged.driver.open(logged.container)).toEqual(sink);
    const another = await logged.anotherDriver();
    expect(await another.open(logged.container)).toEqual(sink);
    await another[Symbol.asyncDispose]();
  });

  it('has a path that is absolute, or none', async () => {
    await using logged = await LoggedSubject.create(subject);
    const path = logged.driver.path?.(logged.container);
    if (path !== undefined) expect(isAbsolute(path)).toBe(true);
  });

  it('is closed twice as well as once', async () => {
    await using logged = await LoggedSubject.create(subject);
    await logged.driver[Symbol.asyncDispose]();
  });

  it('is read back by `read`, or not at all', async () => {
    await using logged = await LoggedSubject.create(subject);
    expect(logged.driver.read !== undefined).toBe(subject.reads);
  });
}
