import { RE2JS } from 're2js';
import { HakoError } from '../base/errors.ts';
import type { LogContainerInfo } from '../contracts/log-driver.ts';

/**
 * Which of a container's labels and environment variables go along with its log: the options `labels`,
 * `labels-regex`, `env`, `env-regex` that most drivers have.
 *
 * @public
 */
export interface LogAttributeSelection {
  readonly labels?: readonly string[] | undefined;
  /** RE2 syntax, matching anywhere in the name. */
  readonly labelsRegex?: string | undefined;
  readonly env?: readonly string[] | undefined;
  readonly envRegex?: string | undefined;
}

/**
 * The selected labels and variables that the container has. A variable wins over a label of the same name.
 *
 * @throws HakoError `HAKO_ERR_INVALID_OPTION` when a pattern is not RE2.
 * @public
 */
export function selectLogAttributes(
  container: Pick<LogContainerInfo, 'labels' | 'env'>,
  selection: LogAttributeSelection,
): Record<string, string> {
  const variables = container.env.flatMap((line): [string, string][] => {
    const equals = line.indexOf('=');
    return equals < 0 ? [] : [[line.slice(0, equals), line.slice(equals + 1)]];
  });
  // The same variable twice: the last one counts, as for the process.
  return Object.fromEntries([
    ...select(Object.entries(container.labels), selection.labels, selection.labelsRegex),
    ...select([...new Map(variables)], selection.env, selection.envRegex),
  ]);
}

function select(
  entries: readonly [string, string][],
  names: readonly string[] | undefined,
  pattern: string | undefined,
): [string, string][] {
  const wanted = new Set(names);
  const regex = pattern === undefined || pattern === '' ? null : compileRe2(pattern);
  return entries.filter(([name]) => wanted.has(name) || regex?.test(name) === true);
}

/**
 * Compiles a pattern of Go's regexp syntax. It never takes more than linear time, whoever wrote it.
 *
 * @throws HakoError `HAKO_ERR_INVALID_OPTION`
 * @public
 */
export function compileRe2(pattern: string): { test(text: string): boolean } {
  try {
    return RE2JS.compile(pattern);
  } catch (error) {
    throw new HakoError(
      'INVALID_OPTION',
      `'${pattern.slice(0, 100)}' is not a regular expression of RE2: ${error instanceof Error ? error.message : String(error)}.`,
      { cause: error },
    );
  }
}
