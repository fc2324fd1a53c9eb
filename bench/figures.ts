import { type Contest, compete, type Entrant } from './contest.ts';
import { hakoExec, hakoLogs, hakoRun, hakoSupervisorPss, hakoWarmRun } from './hako.ts';
import { timeCommand } from './peers/command.ts';
import { dockerExec, dockerLogs, dockerRun, dockerShimPss } from './peers/docker-entrants.ts';
import { bwrapRun, floorRun } from './peers/floor.ts';
import { runtimeExec, runtimeRun } from './peers/oci-runtime.ts';
import type { Workbench } from './workbench.ts';

export interface Figure {
  readonly key: string;
  readonly unit: string;
  readonly better: 'lower' | 'higher';
  measure(bench: Workbench): Promise<Contest>;
}

const logLines = 2_000_000;
const lineLength = 100;

/** What writing and reading the lines costs with no one to keep them. */
function noLogging(bench: Workbench): Entrant {
  return {
    name: 'floor',
    async prepare() {
      const launch = bench.helper('launch');
      const command = `${bench.helper('lines')} ${logLines} ${lineLength} | cat > /dev/null`;
      return {
        name: 'floor',
        measure: async () => logLines / ((await timeCommand(launch, ['sh', '-c', command])) / 1000),
      };
    },
  };
}

/** A dockerd is some ten times slower than the rest: it gets a contest of its own, with fewer rounds, in the same run. */
async function withSlow(fast: Promise<Contest>, slow: () => Promise<Contest>): Promise<Contest> {
  const [first, second] = [await fast, await slow()];
  return {
    samples: new Map([...first.samples, ...second.samples]),
    absent: new Map([...first.absent, ...second.absent]),
  };
}

/** Rounds after which Node has compiled what is hot, as it has in any service that is at work. */
const warmups = 60;

const run = (key: string, network: boolean): Figure => ({
  key,
  unit: 'ms',
  better: 'lower',
  measure: (bench) =>
    withSlow(
      compete(
        [
          hakoRun(bench, network),
          floorRun(bench, network),
          bwrapRun(bench, network),
          runtimeRun(bench, 'crun', network),
          runtimeRun(bench, 'runc', network),
        ],
        60,
        warmups,
      ),
      () => compete([dockerRun(bench)], 12, 2),
    ),
});

const logs = (driver: string): Figure => ({
  key: `logs.${driver}`,
  unit: 'lines/s',
  better: 'higher',
  measure: (bench) =>
    compete(
      [
        hakoLogs(bench, driver, logLines, lineLength),
        noLogging(bench),
        dockerLogs(bench, driver, logLines, lineLength),
      ],
      3,
      1,
    ),
});

export const figures: readonly Figure[] = [
  run('run', false),
  run('run.network', true),
  {
    key: 'run.warm',
    unit: 'ms',
    better: 'lower',
    measure: (bench) =>
      compete([hakoWarmRun(bench), floorRun(bench, false), runtimeRun(bench, 'crun', false)], 60, warmups),
  },
  {
    key: 'exec',
    unit: 'ms',
    better: 'lower',
    measure: (bench) =>
      withSlow(compete([hakoExec(bench), runtimeExec(bench, 'crun'), runtimeExec(bench, 'runc')], 60, warmups), () =>
        compete([dockerExec(bench)], 20, 3),
      ),
  },
  {
    key: 'supervisor.pss',
    unit: 'KiB',
    better: 'lower',
    measure: (bench) => compete([hakoSupervisorPss(bench), dockerShimPss(bench)], 1, 0),
  },
  logs('json-file'),
];
