import type { KnownDifference } from './differences.ts';

export const knownDifferences: readonly KnownDifference[] = [];
