import { setTimeout as sleep } from 'node:timers/promises';
import { hasHakoCode } from '../../base/errors.ts';
import type { Container, ContainerStats, Runtime } from '../../index.ts';
import { type CommandIo, defineCommand } from '../command.ts';
import { type ListColumn, listPrinter, type Row } from '../output/list.ts';
import { formatBytes, shortId } from '../output/units.ts';
import { listFormat } from '../output/values.ts';

const columns = [
  { field: 'ID', heading: 'CONTAINER ID' },
  { field: 'Name', heading: 'NAME', flexible: true },
  { field: 'CPUPerc', heading: 'CPU %' },
  { field: 'MemUsage', heading: 'MEM USAGE / LIMIT' },
  { field: 'MemPerc', heading: 'MEM %' },
  { field: 'NetIO', heading: 'NET I/O' },
  { field: 'BlockIO', heading: 'BLOCK I/O' },
  { field: 'PIDs', heading: 'PIDS' },
] as const satisfies readonly ListColumn[];

/** Seconds between two readings. */
const interval = 1;
const home = '\u001b[H\u001b[2J';

export const statsCommand = defineCommand({
  name: 'stats',
  summary: 'Show what running containers use, again and again',
  operands: { usage: '[CONTAINER…]', min: 0 },
  options: {
    'no-stream': { type: 'flag', help: 'Once' },
    'no-trunc': { type: 'flag', help: 'Show IDs in full' },
    ...listFormat,
  },
  details: 'A figure that the host does not keep is `--`.',

  async run({ values, operands, io, openRuntime }) {
    const whole = values['no-trunc'] === true;
    const print = listPrinter(columns, { format: values.format, stdout: io.stdout, cut: !whole });
    const runtime = await openRuntime();
    const redraws = values.format === undefined && io.stdout.isTTY;
    for (;;) {
      const began = performance.now();
      const stats = await readAll(await chosen(runtime, operands), operands.length > 0);
      if (io.stdout.errored !== null) throw io.stdout.errored;
      if (operands.length > 0 && stats.length === 0 && values['no-stream'] !== true) return 0;
      io.stdout.write(`${redraws ? home : ''}${print(stats.map((each) => rowOf(each, whole)))}`);
      if (values['no-stream'] === true) return 0;
      await pace(began, io);
    }
  },
});

async function chosen(runtime: Runtime, names: readonly string[]): Promise<readonly Container[]> {
  if (names.length > 0) return Promise.all(names.map((name) => runtime.containers.get(name)));
  const running = await runtime.containers.list({ filters: { status: ['running', 'paused'] } });
  return Promise.all(running.map(({ id }) => runtime.containers.get(id)));
}

/** Each is read twice, an interval apart, for a percentage. Those that end meanwhile are left out. */
async function readAll(containers: readonly Container[], areNamed: boolean): Promise<readonly ContainerStats[]> {
  const read = await Promise.all(
    containers.map((container) =>
      container.stats({ interval }).catch((error: unknown) => {
        const isOver =
          hasHakoCode(error, 'HAKO_ERR_CONTAINER_NOT_RUNNING') || hasHakoCode(error, 'HAKO_ERR_CONTAINER_NOT_FOUND');
        if (isOver && !areNamed) return null;
        throw error;
      }),
    ),
  );
  return read.filter((each) => each !== null);
}

/** Readings take an interval themselves, unless there was nothing to read. */
async function pace(began: number, { stdout }: CommandIo): Promise<void> {
  const rest = interval * 1000 - (performance.now() - began);
  if (rest > 0 && !stdout.destroyed) await sleep(rest);
}

function rowOf(stats: ContainerStats, whole: boolean): Row<(typeof columns)[number]['field']> {
  const { memory, io, pids, host } = stats;
  const limit = memory.total === null ? null : Math.min(memory.limit ?? host.memory, host.memory);
  return {
    ID: whole ? stats.id : shortId(stats.id),
    Name: stats.name,
    CPUPerc: percent(stats.cpuPercent),
    MemUsage: `${bytes(memory.usage, 'binary')} / ${bytes(limit, 'binary')}`,
    MemPerc: percent(stats.memoryPercent),
    // Containers have no network of their own but the loopback.
    NetIO: '--',
    BlockIO: `${bytes(io.readBytes)} / ${bytes(io.writtenBytes)}`,
    PIDs: pids.current === null ? '--' : String(pids.current),
  };
}

function percent(value: number | null): string {
  return value === null ? '--' : `${value.toFixed(2)}%`;
}

function bytes(value: number | null, kind: 'decimal' | 'binary' = 'decimal'): string {
  return value === null ? '--' : formatBytes(value, kind);
}
