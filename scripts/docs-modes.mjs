// Writes the table of docs/privilege-modes.md from what a program inside a container of each mode reports
// (test/native/probe.c). As root, with cc and unshare. `--check` compares and writes nothing.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Runtime } from '../dist/src/index.js';
import { allCapabilities, defaultCapabilities } from '../dist/src/plugin.js';

const page = fileURLToPath(new URL('../docs/privilege-modes.md', import.meta.url));
const probe = fileURLToPath(new URL('../test/native/probe.c', import.meta.url));
const [begin, end] = ['<!-- made by npm run docs:modes -->', '<!-- end -->'];

/** What each column is run as; a user who has one id only is played by root of a user namespace with one id. */
const modes = [
  { title: '`privileged`', mode: { driver: 'privileged', options: {} } },
  { title: '`normal`', mode: { driver: 'normal', options: {} } },
  { title: "`normal`, `userns: 'auto'`", mode: { driver: 'normal', options: { userns: 'auto' } } },
  { title: '`rootless`', mode: { driver: 'rootless', options: {} } },
  { title: '`rootless`, one id', mode: { driver: 'rootless', options: {} }, oneId: true },
];

const rows = [
  ['root inside is, on the host', ({ seen }) => idsOf(seen.uidMap[0])],
  ['capabilities', ({ seen, host, own }) => capabilitiesOf(seen, host, own)],
  [
    'inheritable and ambient ones',
    ({ seen }) => (/^0+$/.test(seen.status.CapInh + seen.status.CapAmb) ? 'none' : 'some'),
  ],
  ['set-user-ID programs give privileges', ({ seen }) => yes(seen.status.NoNewPrivs === '0')],
  ['seccomp filter', ({ seen }) => yes(seen.status.Seccomp === '2')],
  ['namespaces of its own', ({ seen, own }) => ownNamespaces(seen.namespaces, own)],
  [
    'files that tell of the machine are hidden',
    ({ seen }) => yes(Object.values(seen.hidden).every((what) => /^(absent|empty)/.test(what))),
  ],
  [
    'settings of the machine can be written',
    ({ seen }) =>
      yes(
        seen.writable.some(
          (path) => /^\/(sys|proc\/(sys|irq|bus|fs|sysrq-trigger))\//.test(path) && !path.startsWith('/sys/fs/cgroup/'),
        ),
      ),
  ],
  [
    'its control groups can be written',
    ({ seen }) => yes(seen.writable.some((path) => path.startsWith('/sys/fs/cgroup/'))),
  ],
  ['devices', ({ seen }) => devicesOf(seen.devices)],
  ['user 1000 of the image', ({ user }) => user],
];

const standardDevices = ['full', 'null', 'random', 'tty', 'urandom', 'zero'];

const yes = (value) => (value ? 'yes' : 'no');

function idsOf(line) {
  const [, start, size] = line.trim().split(/\s+/).map(Number);
  if (size === 1) return 'the user who runs it';
  return start === 0 ? 'root' : `nobody: one of ${size.toLocaleString('en')} ids`;
}

function capabilitiesOf({ status, namespaces }, host, own) {
  const set = BigInt(`0x${status.CapEff}`);
  const names = allCapabilities.filter((_, number) => set & (1n << BigInt(number)));
  if (names.length === host.capabilities.length) return 'all that the service has';
  const isDocker =
    names.length === defaultCapabilities.length && names.every((name) => defaultCapabilities.includes(name));
  const where = namespaces.user === own.user ? '' : ', over its own namespaces only';
  return `${isDocker ? `Docker's ${names.length}` : names.join(' ')}${where}`;
}

function ownNamespaces(seen, own) {
  return Object.keys(seen)
    .filter((name) => seen[name] !== own[name])
    .join(' ');
}

function devicesOf(devices) {
  const nodes = Object.entries(devices).filter(([, { type }]) => type === 'char' || type === 'block');
  const more = nodes.filter(
    ([path]) => !standardDevices.includes(path.slice('/dev/'.length)) && !path.startsWith('/dev/pts'),
  );
  return more.length === 0 ? standardDevices.join(' ') : "all of the host's";
}

async function report(mode, rootfs, directory) {
  const runtime = await Runtime.open({ root: join(directory, 'root') });
  try {
    const image = await runtime.images.import({ kind: 'rootfs', rootfs });
    const run = (more) => runtime.run({ image, mode, command: ['/probe', 'walk'], ...more });
    const { host } = await runtime.info();
    const own = Object.fromEntries(
      ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'time', 'user', 'uts'].map((name) => [
        name,
        readlinkSync(`/proc/self/ns/${name}`),
      ]),
    );
    const seen = JSON.parse((await run({})).stdout.toString());
    const { isolation } = await describe(runtime, image, mode);
    const user = isolation.idEmulation === 'ignore' ? 'in name only' : 'another one, without capabilities';
    const asUser = JSON.parse((await run({ user: '1000' })).stdout.toString());
    if (!/^0+$/.test(asUser.status.CapEff)) throw new Error('user 1000 has capabilities');
    return { seen, host, own, user };
  } finally {
    await runtime.close();
  }
}

async function describe(runtime, image, mode) {
  const container = await runtime.containers.create({ image, mode, command: ['/probe'] });
  try {
    return await container.inspect();
  } finally {
    await container.remove();
  }
}

function inOneId(mode, rootfs, directory) {
  const own = fileURLToPath(import.meta.url);
  const output = execFileSync(
    'unshare',
    ['--user', '--map-root-user', process.execPath, own, '--report', JSON.stringify(mode), rootfs, directory],
    { encoding: 'utf8' },
  );
  return JSON.parse(output);
}

async function table() {
  const directory = mkdtempSync(join(tmpdir(), 'hako-docs-modes-'));
  try {
    const rootfs = join(directory, 'rootfs');
    mkdirSync(rootfs, { mode: 0o755 });
    execFileSync('cc', ['-std=gnu11', '-O1', '-static', '-o', join(rootfs, 'probe'), probe]);
    const columns = [];
    for (const [index, { mode, oneId }] of modes.entries()) {
      const own = join(directory, String(index));
      mkdirSync(own);
      // Root of a rootless container is somebody else outside, and has to come here.
      execFileSync('chmod', ['711', directory, own]);
      columns.push(oneId ? inOneId(mode, rootfs, own) : await report(mode, rootfs, own));
    }
    const line = (cells) => `| ${cells.join(' | ')} |`;
    return [
      line(['', ...modes.map(({ title }) => title)]),
      line(['', ...modes].map(() => '---')),
      ...rows.map(([name, tell]) => line([name, ...columns.map(tell)])),
    ].join('\n');
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

const [option, ...rest] = process.argv.slice(2);
if (option === '--report') {
  const [mode, rootfs, directory] = rest;
  console.log(JSON.stringify(await report(JSON.parse(mode), rootfs, directory)));
} else {
  const text = readFileSync(page, 'utf8');
  const [before, after] = [text.split(begin)[0], text.split(end)[1]];
  const made = `${before}${begin}\n\n${await table()}\n\n${end}${after}`;
  if (option !== '--check') writeFileSync(page, made);
  else if (made !== text) {
    console.error(`docs/privilege-modes.md is not current: run npm run docs:modes. It would be:\n${made}`);
    process.exitCode = 1;
  }
}
