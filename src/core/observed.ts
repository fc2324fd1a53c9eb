import { type Description, type OperationSubject, observe, observeUntilEnd } from '../base/observation.ts';
import type { OperationName } from '../base/operation-names.ts';

/**
 * How each method of a thing is called in the eyes of those who observe; null: it is nobody's operation. A method that
 * is not in it is a type error.
 */
export type OperationsOf<T> = {
  readonly [Key in keyof T]: T[Key] extends (...args: never) => infer Result
    ? null | (Result extends Promise<unknown> ? OperationName : { readonly untilEnd: OperationName })
    : OperationsOf<T[Key]>;
};

/** What can be told of a call, and of what it gave. */
export interface Describer {
  subject(args: readonly unknown[]): OperationSubject;
  learn?(result: unknown): OperationSubject;
}

type Operation = null | OperationName | { readonly untilEnd: OperationName };
type Method = (...args: readonly unknown[]) => unknown;
type Operations = { readonly [name: string]: Operation | Operations };

/** The same thing, for callers from outside: what they do with it can be observed. What it does by itself can not. */
export function observed<T extends object>(target: T, operations: OperationsOf<T>, describer: Describer): T {
  const facade = Object.create(Object.getPrototypeOf(target) as object) as Record<string, unknown>;
  for (const [name, operation] of Object.entries(operations as Operations)) {
    const part = (target as Record<string, unknown>)[name];
    facade[name] = isOperation(operation)
      ? observedMethod((part as Method).bind(target), operation, describer)
      : observed(part as object, operation as never, describer);
  }
  return facade as T;
}

function isOperation(operation: Operation | Operations): operation is Operation {
  return operation === null || typeof operation === 'string' || typeof operation['untilEnd'] === 'string';
}

function observedMethod(method: Method, operation: Operation, describer: Describer): Method {
  if (operation === null) return method;
  const describe = (name: OperationName, args: readonly unknown[]): Description<unknown> => ({
    operation: name,
    subject: () => describer.subject(args),
    ...(describer.learn === undefined ? {} : { learn: describer.learn }),
  });
  if (typeof operation === 'string')
    return (...args) => observe(describe(operation, args), () => method(...args) as Promise<unknown>);
  return (...args) =>
    observeUntilEnd(describe(operation.untilEnd, args), () => method(...args) as AsyncIterable<unknown>);
}
