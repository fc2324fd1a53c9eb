import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Entrant } from '../contest.ts';
import type { Workbench } from '../workbench.ts';
import { output, timeCommand } from './command.ts';

/** crun and runc, by their own default configuration: what `<runtime> spec` writes. */
async function bundle(
  bench: Workbench,
  runtime: string,
  name: string,
  args: readonly string[],
  network: boolean,
): Promise<string> {
  const directory = join(bench.directory, `bundle-${name}-${network ? 'net' : 'host'}-${args[0]}`);
  // Another figure of the same run may have made it.
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  await output([runtime, 'spec'], directory);
  const path = join(directory, 'config.json');
  const config = JSON.parse(await output(['cat', path]));
  config.root = { path: bench.rootfs, readonly: false };
  config.process.terminal = false;
  config.process.args = args;
  config.process.env = ['PATH=/bin'];
  // They need CAP_SYS_RESOURCE, which not every machine grants.
  delete config.process.rlimits;
  if (!network)
    config.linux.namespaces = config.linux.namespaces.filter(({ type }: { type: string }) => type !== 'network');
  writeFileSync(path, JSON.stringify(config));
  return directory;
}

export function runtimeRun(bench: Workbench, name: 'crun' | 'runc', network: boolean): Entrant {
  return {
    name,
    async prepare() {
      const runtime = bench.program(name);
      const state = join(bench.directory, `${name}-state`);
      const directory = await bundle(bench, runtime, name, ['true'], network);
      const argv = [runtime, '--root', state, 'run', '--bundle', directory, 'hako-bench-@'];
      return { name, measure: () => timeCommand(bench.helper('launch'), argv) };
    },
  };
}

export function runtimeExec(bench: Workbench, name: 'crun' | 'runc'): Entrant {
  return {
    name,
    async prepare() {
      const runtime = bench.program(name);
      const state = join(bench.directory, `${name}-state`);
      const id = `hako-bench-${name}-${process.pid}`;
      const directory = await bundle(bench, runtime, name, ['sleep', '100000'], true);
      // It is started detached with nothing of ours open, or it would hold our pipe.
      await output([
        'sh',
        '-c',
        `exec "$0" --root "$1" run --detach --bundle "$2" "$3" </dev/null >/dev/null 2>&1`,
        runtime,
        state,
        directory,
        id,
      ]);
      return {
        name,
        measure: () => timeCommand(bench.helper('launch'), [runtime, '--root', state, 'exec', id, 'true']),
        close: async () => void (await output([runtime, '--root', state, 'delete', '--force', id])),
      };
    },
  };
}
