import type { Entrant } from '../contest.ts';
import type { Workbench } from '../workbench.ts';
import { output, timeCommand } from './command.ts';

/** The same system calls by a small C program: nothing can be faster. */
export function floorRun(bench: Workbench, network: boolean): Entrant {
  return {
    name: 'floor',
    async prepare() {
      const floor = bench.helper('floor');
      return {
        name: 'floor',
        async measure() {
          return Number(await output([floor, ...(network ? ['--net'] : []), '1', bench.rootfs])) / 1e6;
        },
      };
    },
  };
}

export function bwrapRun(bench: Workbench, network: boolean): Entrant {
  return {
    name: 'bwrap',
    async prepare() {
      const launch = bench.helper('launch');
      const argv = [
        bench.program('bwrap'),
        '--unshare-all',
        ...(network ? [] : ['--share-net']),
        '--bind',
        bench.rootfs,
        '/',
        '--proc',
        '/proc',
        '--dev',
        '/dev',
        'true',
      ];
      return { name: 'bwrap', measure: () => timeCommand(launch, argv) };
    },
  };
}
