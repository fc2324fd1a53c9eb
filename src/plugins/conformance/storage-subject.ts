import { expect } from 'vitest';
import type { ErrorCode } from '../../base/error-codes.ts';
import { HakoError } from '../../base/errors.ts';
import type { ActiveKey, CommittedName, StorageDriver } from '../../contracts/storage-driver.ts';
import { type TestContext, testContext } from './context.ts';
import { runMounted } from './mounted.ts';
import type { StorageDriverSubject } from './storage-driver.ts';

export const key = (text: string): ActiveKey => text as ActiveKey;
export const name = (text: string): CommittedName => text as CommittedName;

/** A driver in a directory of its own; both are gone when it is disposed of. */
export async function freshDriver(
  subject: StorageDriverSubject,
): Promise<{ driver: StorageDriver; context: TestContext } & AsyncDisposable> {
  const context = testContext(subject.native);
  const driver = await subject.create(context);
  return {
    driver,
    context,
    [Symbol.asyncDispose]: async () => {
      await driver[Symbol.asyncDispose]();
      context[Symbol.dispose]();
    },
  };
}

/** Makes a committed snapshot whose content a script writes. */
export async function makeLayer(
  driver: StorageDriver,
  layer: string,
  parent: string | null,
  script: string,
): Promise<CommittedName> {
  const working = key(`${layer}-working`);
  runMounted(await driver.prepare(working, parent === null ? null : name(parent)), script);
  await driver.commit(name(layer), working);
  return name(layer);
}

/** A script that prints the paths, kinds, modes and contents of a tree; {@link lines} puts them in order. */
export const listing = String.raw`find . -mindepth 1 \( -type f -printf '%P %y %m ' -exec cat {} \; -printf '\n' \) -o \( -type l -printf '%P %y -> %l\n' \) -o -mindepth 1 -printf '%P %y %m\n'`;

export function lines(text: string): readonly string[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .sort();
}

/** What a look at a committed snapshot shows. */
export async function contentOf(driver: StorageDriver, layer: string): Promise<readonly string[]> {
  const look = key(`look-at-${layer.replaceAll(':', '-')}`);
  const content = lines(runMounted(await driver.view(look, name(layer)), listing));
  await driver.remove(look);
  return content;
}

export async function expectCode(promise: Promise<unknown>, code: ErrorCode): Promise<void> {
  const error = await promise.then(
    () => null,
    (failure: unknown) => failure,
  );
  expect(error, `a failure with ${code}`).toBeInstanceOf(HakoError);
  expect((error as HakoError).code).toBe(code);
}

export async function names(driver: StorageDriver): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const snapshot of driver.list()) found.push(snapshot.name);
  return found.sort();
}
