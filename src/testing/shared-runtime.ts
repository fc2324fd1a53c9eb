import { Runtime } from '../index.ts';

/** A runtime that is open as long as somebody uses it. */
export interface BorrowedRuntime {
  readonly runtime: Runtime;
  /** Closes it when nobody else has it. */
  release(): Promise<void>;
}

interface Shared {
  readonly opening: Promise<Runtime>;
  users: number;
}

const shared = new Map<string | undefined, Shared>();

/** The one runtime of this process on a root, so that a test suite need not open and close any. */
export async function borrowRuntime(root: string | undefined): Promise<BorrowedRuntime> {
  let entry = shared.get(root);
  if (entry === undefined) {
    entry = { opening: Runtime.open(root === undefined ? {} : { root }), users: 0 };
    shared.set(root, entry);
  }
  const { opening } = entry;
  entry.users++;
  const release = async () => {
    entry.users--;
    if (entry.users > 0) return;
    shared.delete(root);
    await (await opening).close();
  };
  try {
    return { runtime: await opening, release };
  } catch (error) {
    if (shared.get(root) === entry) shared.delete(root);
    throw error;
  }
}
