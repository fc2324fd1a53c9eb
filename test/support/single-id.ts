import { execFileSync } from 'node:child_process';
import type { HostInfo } from '../../src/contracts/host-info.ts';
import type { Rootfs } from '../native/support/rootfs.ts';
import type { IsolatedOptions } from './isolated-run.ts';

/** Nobody's on Debian. */
const uid = 65_532;

/** What an ordinary user can do on a machine where nothing was installed for containers. */
export function singleIdHost(host: HostInfo): HostInfo {
  return {
    ...host,
    uid,
    gid: uid,
    capabilities: [],
    cgroup: { layout: 'none', controllers: {}, files: [], unifiedMount: null, unifiedParent: null, missing: {} },
    idRanges: { supported: false, reason: 'this test gives none', remedy: 'ask for some' },
  };
}

/** How that user runs a container on a root filesystem, which becomes theirs. */
export function asSingleId(rootfs: Rootfs, host: HostInfo, more: Partial<IsolatedOptions> = {}): IsolatedOptions {
  execFileSync('chown', ['-R', `${uid}:${uid}`, rootfs.path]);
  return { mode: 'rootless', host: singleIdHost(host), uid, ...more };
}
