import { statSync } from 'node:fs';
import type { Entrant } from '../contest.ts';
import { countLines } from '../lines.ts';
import { parentOf, pss } from '../processes.ts';
import type { Workbench } from '../workbench.ts';
import { Dockerd } from './dockerd.ts';

export function dockerRun(bench: Workbench): Entrant {
  return {
    name: 'dockerd',
    async prepare() {
      const docker = await Dockerd.start(bench);
      return {
        name: 'dockerd',
        async measure() {
          const start = performance.now();
          const id = await docker.create(['true']);
          await docker.startAndWait(id);
          await docker.remove(id);
          return performance.now() - start;
        },
        close: () => docker.close(),
      };
    },
  };
}

async function withSleeper(bench: Workbench): Promise<{ docker: Dockerd; id: string; close(): Promise<void> }> {
  const docker = await Dockerd.start(bench);
  const id = await docker.create(['sleep', '100000']);
  await docker.call('POST', `/containers/${id}/start`);
  return {
    docker,
    id,
    async close() {
      await docker.remove(id);
      await docker.close();
    },
  };
}

export function dockerExec(bench: Workbench): Entrant {
  return {
    name: 'dockerd',
    async prepare() {
      const { docker, id, close } = await withSleeper(bench);
      return {
        name: 'dockerd',
        async measure() {
          const start = performance.now();
          await docker.exec(id, ['true']);
          return performance.now() - start;
        },
        close,
      };
    },
  };
}

/** The memory of the shim: what a container costs dockerd besides the two daemons. */
export function dockerShimPss(bench: Workbench): Entrant {
  return {
    name: 'dockerd',
    async prepare() {
      const { docker, id, close } = await withSleeper(bench);
      const { State } = await docker.inspect(id);
      const shim = parentOf(State.Pid);
      return { name: 'dockerd', measure: async () => pss(shim), close };
    },
  };
}

export function dockerLogs(bench: Workbench, driver: string, lines: number, length: number): Entrant {
  return {
    name: 'dockerd',
    async prepare() {
      const docker = await Dockerd.start(bench);
      return {
        name: 'dockerd',
        async measure() {
          const id = await docker.create(['lines', String(lines), String(length)], { driver });
          const start = performance.now();
          await docker.startAndWait(id);
          const seconds = (performance.now() - start) / 1000;
          const { LogPath } = await docker.inspect(id);
          // The log of the driver `local` is no text; its size has to do.
          const logged = driver === 'json-file' ? await countLines(LogPath) : statSync(LogPath).size > 0 ? lines : 0;
          if (logged !== lines) throw new Error(`dockerd logged ${logged} lines of ${lines}`);
          await docker.remove(id);
          return lines / seconds;
        },
        close: () => docker.close(),
      };
    },
  };
}
