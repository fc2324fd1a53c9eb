/**
 * A test that also runs where vitest does not: on another kernel, in a virtual machine (test/qemu). It asserts with
 * node:assert, and says what it lacks instead of passing.
 */
export interface Case {
  readonly name: string;
  /** What is missing here, in words; undefined: nothing. */
  missing?(): string | undefined;
  run(): Promise<void>;
}
