import type { Runtime } from 'libhako';

export function fileRound(
  runtime: Runtime,
  image: string,
  options?: Partial<Parameters<Runtime['containers']['create']>[0]>,
): Promise<unknown>;
export function expectedRound(): unknown;
