import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Rootfs } from '../native/support/rootfs.ts';

/** What test/native/probe.c prints. */
export interface ProbeReport {
  readonly uid: readonly number[];
  readonly gid: readonly number[];
  readonly groups: readonly number[];
  readonly hostname: string;
  readonly domainname: string;
  readonly cwd: string;
  readonly environment: readonly string[];
  readonly pid: number;
  readonly dumpable: number;
  readonly namespaces: Readonly<Record<string, string>>;
  readonly status: Readonly<Record<string, string>>;
  readonly limits: Readonly<Record<string, readonly [soft: string, hard: string]>>;
  readonly descriptors: Readonly<Record<string, string>>;
  readonly mountinfo: readonly string[];
  readonly cgroup: readonly string[];
  readonly uidMap: readonly string[];
  readonly gidMap: readonly string[];
  readonly oomScoreAdj: readonly string[];
  /** errno of socket(AF_ALG), plainly and with a bit above the 32 that the kernel looks at; 0: made. */
  readonly algSocket: readonly number[];
  readonly hidden: Readonly<Record<string, string>>;
  readonly devices: Readonly<Record<string, ProbedNode>>;
  readonly writable: readonly string[];
}

export type ProbedNode =
  | { readonly type: 'link'; readonly target: string }
  | {
      readonly type: 'char' | 'block' | 'directory' | 'file';
      readonly mode: string;
      readonly uid: number;
      readonly gid: number;
      readonly device?: string;
    };

/** The probe program, compiled once for a test file; `undefined` in `path` never happens. */
export class Probe implements Disposable {
  readonly #directory = mkdtempSync(join(tmpdir(), 'hako-probe-'));
  readonly path = join(this.#directory, 'probe');

  constructor() {
    execFileSync('cc', [
      '-std=gnu11',
      '-Wall',
      '-Wextra',
      '-Werror',
      '-O1',
      '-static',
      '-o',
      this.path,
      'test/native/probe.c',
    ]);
  }

  install(rootfs: Rootfs): void {
    copyFileSync(this.path, rootfs.at('probe'));
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

export function parseReport(stdout: string): ProbeReport {
  return JSON.parse(stdout) as ProbeReport;
}
