// usage: npm run bench [-- --only run,exec] [--json FILE] [--without dockerd,runc]
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { parseArgs } from 'node:util';
import { figures } from './figures.ts';
import { type JsonFigure, toJson, toTable } from './table.ts';
import { Workbench } from './workbench.ts';

const insideVariable = 'HAKO_BENCH_INSIDE';
const unified = '/sys/fs/cgroup/unified';

const { values: options } = parseArgs({
  options: { only: { type: 'string' }, without: { type: 'string' }, json: { type: 'string' } },
});

/**
 * crun and dockerd stumble over the v2 hierarchy of a hybrid host. It is unmounted for all contestants, in a mount
 * namespace of the bench's own, where a killed dockerd's mounts end as well.
 */
function enterPrivateMounts(): number | undefined {
  if (process.getuid?.() !== 0 || process.env[insideVariable] === '1') return undefined;
  const hybrid = existsSync(unified) && existsSync('/sys/fs/cgroup/memory');
  const script = `${hybrid ? `umount -l ${unified}; ` : ''}exec "$@"`;
  const { status } = spawnSync(
    'unshare',
    ['--mount', 'sh', '-c', script, 'sh', process.execPath, ...process.execArgv, ...process.argv.slice(1)],
    {
      stdio: 'inherit',
      env: { ...process.env, [insideVariable]: '1' },
    },
  );
  return status ?? 1;
}

async function main(): Promise<void> {
  const only = options.only?.split(',');
  const unknown = only?.filter((key) => figures.every((figure) => figure.key !== key)) ?? [];
  if (unknown.length > 0)
    throw new Error(`--only ${unknown.join(',')}: the figures are ${figures.map(({ key }) => key).join(', ')}.`);
  console.log(
    `${cpus().length} × ${cpus()[0]?.model}, Linux ${release()}, load ${readFileSync('/proc/loadavg', 'utf8').split(' ')[0]}\n`,
  );
  using bench = new Workbench(options.without?.split(',') ?? []);
  const json: Record<string, JsonFigure> = {};
  for (const figure of figures) {
    if (only !== undefined && !only.includes(figure.key)) continue;
    const report = { ...figure, contest: await figure.measure(bench) };
    json[figure.key] = toJson(report);
    console.log(`${toTable(report)}\n`);
  }
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(json, null, 2)}\n`);
}

const status = enterPrivateMounts();
if (status !== undefined) process.exitCode = status;
else await main();
