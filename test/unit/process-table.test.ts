import { expect, it } from 'vitest';
import { readProcesses } from '../../src/container/top/top.ts';
import type { HostFiles } from '../../src/host/files.ts';

const day = 86_400;
const now = Date.now() / 1000;
const bootTime = Math.floor(now - 3 * day);

const stat = (pid: number, name: string, parent: number, startTicks: number, tty = 0) =>
  `${pid} (${name}) S ${parent} 7 8 ${tty} -1 4194304 1 0 0 0 90000 10000 0 0 20 5 3 0 ${startTicks} 10485760 256 18446744073709551615`;
const status = (uid: number, ids: string) => `Name:\tx\nUid:\t0\t${uid}\t0\t0\nNSpid:\t${ids}\n`;

function machine(processes: Record<number, [stat: string, status: string, cmdline: string]>): HostFiles {
  const files = new Map<string, string>([
    ['/proc/stat', `cpu 1 2 3\nbtime ${bootTime}\n`],
    ['/proc/uptime', `${3 * day}.00 1.00\n`],
    ['/proc/meminfo', 'MemTotal:       10240 kB\n'],
    ['/etc/passwd', 'app:x:1000:1000::/:/bin/sh\nsame:x:1000:1000::/:/bin/sh\n'],
  ]);
  for (const [pid, [one, two, three]] of Object.entries(processes)) {
    files.set(`/proc/${pid}/stat`, one).set(`/proc/${pid}/status`, two).set(`/proc/${pid}/cmdline`, three);
  }
  return {
    read: (path) => files.get(path) ?? null,
    list: (path) => (path === '/proc' ? [...Object.keys(processes), 'self', 'stat'] : []),
    exists: () => false,
    findProgram: () => null,
  };
}

const host = machine({
  10: [stat(10, 'supervisor', 1, 0), status(0, '10'), ''],
  11: [stat(11, 'a) b (c', 10, 100, (136 << 8) | 3), status(1000, '11\t1'), 'prog\0--flag\0x y\0'],
  12: [stat(12, 'orphan', 11, 2.99 * day * 100), status(100_005, '12\t7'), ''],
  13: [stat(13, 'another', 1, 100), status(0, '13'), 'not of it'],
});

it('finds all that is below the supervisor, whatever names processes give themselves', () => {
  const { processes } = readProcesses(host, 10, '-ef');
  expect(processes.map(({ pid }) => pid)).toEqual([11, 12]);
  expect(processes[0]).toMatchObject({
    containerPid: 1,
    parentPid: 10,
    uid: 1000,
    user: 'app',
    name: 'a) b (c',
    command: 'prog --flag x y',
    terminal: 'pts/3',
    cpuTime: 1_000,
    residentMemory: 256 * 4096,
    virtualMemory: 10_485_760,
    threads: 3,
    nice: 5,
    memoryPercent: 10,
  });
  expect(processes[1]).toMatchObject({ containerPid: 7, user: '100005', command: '[orphan]', terminal: '?' });
});

it('shows the columns that ps would', () => {
  const rows = (psArgs: string) => readProcesses(host, 10, psArgs);
  const full = rows('-ef');
  expect(full.titles).toEqual(['UID', 'PID', 'PPID', 'C', 'STIME', 'TTY', 'TIME', 'CMD']);
  expect(full.rows[0]?.slice(0, 4)).toEqual(['app', '11', '10', '0']);
  expect(full.rows[0]?.[4]).toMatch(/^(?:[A-Z][a-z]{2}\d\d|\d{4})$/);
  expect(full.rows[1]?.[4]).toMatch(/^\d\d:\d\d$/);
  expect(full.rows[0]?.slice(5)).toEqual(['pts/3', '00:16:40', 'prog --flag x y']);
  expect(rows('aux').rows[0]?.slice(0, 9)).toEqual([
    'app',
    '11',
    '0.4',
    '10.0',
    '10240',
    '1024',
    'pts/3',
    'S',
    full.rows[0]?.[4],
  ]);
  expect(rows('-o pid,etime,nlwp=THREADS').titles).toEqual(['PID', 'ELAPSED', 'THREADS']);
  expect(rows('-o pid,etime').rows[0]).toEqual(['11', expect.stringMatching(/^2-23:59:5\d$|^3-00:00:0\d$/)]);
  expect(rows('-opid -o comm').rows[1]).toEqual(['12', 'orphan']);
  for (const psArgs of ['-l', '-o', '-o toString', 'x; rm', '-u root'])
    expect(() => rows(psArgs), psArgs).toThrow(expect.objectContaining({ code: 'HAKO_ERR_INVALID_OPTION' }));
});

it('shows nothing of a supervisor that is gone', () => {
  expect(readProcesses(host, 99, '-ef').rows).toEqual([]);
});
