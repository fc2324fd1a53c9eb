import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Image, Runtime } from 'libhako';
import { Absent, type Entrant } from './contest.ts';
import { countLines } from './lines.ts';
import { parentOf, processesOf, pss } from './processes.ts';
import type { Workbench } from './workbench.ts';

interface Opened {
  readonly root: string;
  readonly runtime: Runtime;
  readonly image: Image;
}

/** One runtime for each contest, with the workbench's busybox as its image. Opening it is not measured: a service does it once. */
async function open(bench: Workbench, name: string): Promise<Opened> {
  if (!existsSync(new URL('../dist/src/index.js', import.meta.url)))
    throw new Absent('hako is not built: npm run build');
  const { Runtime } = await import('libhako');
  const root = join(bench.directory, `hako-${name}`);
  const runtime = await Runtime.open({ root });
  return { root, runtime, image: await runtime.images.import(bench.rootfs) };
}

/** create + start + wait + remove, by the call that users make. */
export function hakoRun(bench: Workbench, ownNetwork: boolean): Entrant {
  return {
    name: 'hako',
    async prepare() {
      const { runtime, image } = await open(bench, `run-${ownNetwork}`);
      return {
        name: 'hako',
        async measure() {
          const start = performance.now();
          const { exitCode } = await runtime.run({
            image,
            command: ['true'],
            namespaces: { network: ownNetwork ? 'private' : 'host' },
          });
          const took = performance.now() - start;
          if (exitCode !== 0) throw new Error(`hako: the container ended with ${exitCode}`);
          return took;
        },
        close: () => runtime.close(),
      };
    },
  };
}

/** The same from a pool. That it fills again is not measured, and is waited for: it must not slow down the next contestant. */
export function hakoWarmRun(bench: Workbench): Entrant {
  return {
    name: 'hako',
    async prepare() {
      const { runtime, image } = await open(bench, 'run-warm');
      const pool = await runtime.containers.pool({ image, size: 2, namespaces: { network: 'host' } });
      return {
        name: 'hako',
        async measure() {
          await pool.ready();
          const start = performance.now();
          const { exitCode } = await pool.run(['true']);
          const took = performance.now() - start;
          if (exitCode !== 0) throw new Error(`hako: the container ended with ${exitCode}`);
          await pool.ready();
          return took;
        },
        close: () => runtime.close(),
      };
    },
  };
}

async function openWithSleeper(bench: Workbench, name: string) {
  const { runtime, image } = await open(bench, name);
  const container = await runtime.containers.create({ image, command: ['sleep', '100000'] });
  await container.start();
  return {
    container,
    async close() {
      await container.remove({ force: true });
      await runtime.close();
    },
  };
}

export function hakoExec(bench: Workbench): Entrant {
  return {
    name: 'hako',
    async prepare() {
      const { container, close } = await openWithSleeper(bench, 'exec');
      return {
        name: 'hako',
        async measure() {
          const start = performance.now();
          const { exitCode } = await container.exec(['true']);
          const took = performance.now() - start;
          if (exitCode !== 0) throw new Error(`hako: the exec ended with ${exitCode}`);
          return took;
        },
        close,
      };
    },
  };
}

/** Everything that stays for one idle container: the supervisor. The container's own program is not counted. */
export function hakoSupervisorPss(bench: Workbench): Entrant {
  return {
    name: 'hako',
    async prepare() {
      const { close } = await openWithSleeper(bench, 'pss');
      return {
        name: 'hako',
        async measure() {
          await delay(500);
          const supervisors = processesOf('hako-supervisor').filter((pid) => parentOf(pid) === process.pid);
          if (supervisors.length !== 1) throw new Error(`hako: ${supervisors.length} supervisors run, not one`);
          return pss(supervisors[0] as number);
        },
        close,
      };
    },
  };
}

export function hakoLogs(bench: Workbench, driver: string, lines: number, length: number): Entrant {
  return {
    name: 'hako',
    async prepare() {
      const { root, runtime, image } = await open(bench, `logs-${driver}`);
      return {
        name: 'hako',
        async measure() {
          const container = await runtime.containers.create({
            image,
            command: ['lines', String(lines), String(length)],
            log: { driver, options: {} },
          });
          const start = performance.now();
          await container.start();
          const { exitCode } = await container.wait();
          const seconds = (performance.now() - start) / 1000;
          if (exitCode !== 0) throw new Error(`hako: the container ended with ${exitCode}`);
          const logged = await countLines(join(root, 'containers', container.id, `${container.id}-json.log`));
          if (logged !== lines) throw new Error(`hako logged ${logged} lines of ${lines}`);
          await container.remove();
          return lines / seconds;
        },
        close: () => runtime.close(),
      };
    },
  };
}
