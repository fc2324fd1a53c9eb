import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HostMountRequest } from '../../../src/contracts/native-binding.ts';
import { native } from './native-binding.ts';

// Run by addon.test.ts in a mount namespace of its own; prints what it saw as JSON.

const base = join(process.argv[2] as string, 'mounts');
const place = (name: string): string => {
  mkdirSync(join(base, name), { recursive: true });
  return join(base, name);
};
const RDONLY = 1n;
const ALL = 0xfn;

const mount = (type: string, target: string, more: Partial<HostMountRequest> = {}): Promise<void> =>
  native.mount({ type, source: type, target, attributes: 0n, options: [], ...more });
const lineOf = (target: string): string =>
  readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .find((line) => line.split(' ')[4] === target) ?? '';
const errnoOf = async (work: Promise<void>): Promise<{ errno?: string; message?: string }> =>
  work.then(
    () => ({}),
    (error: { errno: string; message: string }) => error,
  );

const tmpfs = place('tmpfs');
await mount('tmpfs', tmpfs, {
  attributes: ALL,
  options: [
    ['size', '64k'],
    ['mode', '0700'],
  ],
});
const line = lineOf(tmpfs);
const scratch = place('scratch');
await mount('tmpfs', scratch);
writeFileSync(join(scratch, 'file'), 'content');
const bound = place('bound');
await mount('bind', bound, { source: scratch, attributes: RDONLY });
let bindReadOnly = false;
try {
  writeFileSync(join(bound, 'file'), 'changed');
} catch {
  bindReadOnly = true;
}
const bindContent = readFileSync(join(bound, 'file'), 'utf8');

/** All of an overlay lies on the tmpfs, whatever the filesystem below is. */
async function overlay(name: string, lowerName: string): Promise<string[]> {
  const [lower, upper, work, merged] = [lowerName, `${name}-upper`, `${name}-work`, name].map((part) =>
    join(scratch, part),
  ) as [string, string, string, string];
  for (const directory of [lower, upper, work, merged]) mkdirSync(directory, { recursive: true });
  writeFileSync(join(lower, 'lower'), '');
  writeFileSync(join(upper, 'upper'), '');
  await mount('overlay', merged, {
    options: [
      ['lowerdir+', lower],
      ['upperdir', upper],
      ['workdir', work],
    ],
  });
  const names = readdirSync(merged).sort();
  await native.unmount(merged);
  return names;
}
const short = await overlay('short', 'lower');
// Longer than fsconfig(2) takes, and with what must be escaped.
const long = await overlay('long', `${'x'.repeat(200)}/${'y'.repeat(100)},a:b\\c`);
const bad = await errnoOf(mount('tmpfs', place('bad'), { options: [['no_such_option', '1']] }));
const unknown = await errnoOf(mount('nosuchfs', place('bad')));
const missing = await errnoOf(mount('tmpfs', join(base, 'missing')));
for (const target of [bound, scratch, tmpfs]) await native.unmount(target);
await native.unmount(tmpfs);
await native.unmount(join(base, 'missing'));

console.log(
  JSON.stringify({
    tmpfs: ['ro', 'nosuid', 'nodev', 'noexec']
      .filter((option) => line.split(' ')[5]?.split(',').includes(option))
      .join(','),
    size: /size=(\w+)/.exec(line)?.[1],
    bind: bindContent,
    bindReadOnly,
    overlay: short,
    overlayByString: long,
    badOption: bad.errno,
    badOptionSaysWhy: bad.message?.includes('no_such_option'),
    unknownType: unknown.errno,
    missingTarget: missing.errno,
    left: readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .filter((one) => one.includes(base)).length,
    unmountOfNothing: 'fine',
  }),
);
