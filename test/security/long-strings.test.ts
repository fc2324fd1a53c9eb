/** Catalogue 1A, CVE-2021-43784: strings that are longer than the field for their length can say. */
import { expect, test } from 'vitest';
import { containerProcess, mount, run, runShell } from '../native/support/container.ts';
import { Rootfs } from '../native/support/rootfs.ts';
import { describeWith } from '../support/requires.ts';

/** The attacker's variable: cut to 16 bits its length ends before what it carries, which is then read as fields of its own. */
const smuggled = `  ${'user=0'.padEnd(0x2020)}`;
const variable = `V=harmless${smuggled.repeat(8)}`.slice(0, 0x10000 + 'V=harmless'.length);

/** A message as netlink(7) has it: a length of 16 bits before each field. */
function encodeNaively(fields: readonly string[]): Buffer {
  return Buffer.concat(
    fields.flatMap((field) => {
      const length = Buffer.alloc(2);
      length.writeUInt16LE(Buffer.byteLength(field) & 0xffff);
      return [length, Buffer.from(field)];
    }),
  );
}

/** The fields by name, of each the last. */
function decodeNaively(message: Buffer): Record<string, string> {
  const fields: Record<string, string> = {};
  for (let at = 0; at + 2 <= message.length; ) {
    const end = at + 2 + message.readUInt16LE(at);
    const [name = '', ...value] = message.toString('latin1', at + 2, end).split('=');
    fields[name] = value.join('=').trim();
    at = end;
  }
  return fields;
}

describeWith({ root: true }, 'CVE-2021-43784: strings of 64 and 128 KiB', () => {
  test('are one string, and change nothing about what follows them', async () => {
    using rootfs = new Rootfs();
    const look = 'id -u; echo -n "$V" | wc -c';
    for (const value of [
      variable,
      ...[0xfffe, 0xffff, 0x10000, 0x10001, 0x1fffe].map((size) => 'V='.padEnd(size, 'x')),
    ]) {
      const { stdout } = await runShell(rootfs, look, { env: ['PATH=/bin', value], user: 'app' });
      expect(stdout).toBe(`1000\n${value.length - 2}\n`);
    }
    // The kernel takes no longer string, and no longer path.
    for (const length of [0x1ffff, 0x20000, 0x20001]) {
      const { failed } = await runShell(rootfs, look, { env: ['PATH=/bin', 'V='.padEnd(length + 1, 'x')] });
      expect(failed).toMatchObject({ operation: 'exec', errno: 7 });
    }
    for (const length of [0xffff, 0x10000, 0x10001, 0x20000]) {
      const long = 'd/'.repeat(length / 2);
      const mounted = await runShell(rootfs, 'true', {}, {}, { before: [mount('tmpfs', long, 0n)] });
      expect(mounted.failed).toMatchObject({ operation: 'mount' });
      const entered = await run(rootfs, containerProcess(['true'], { cwd: `/${long}` }));
      expect(entered.failed).toMatchObject({ operation: 'cwd', errno: 36 });
      expect((await run(rootfs, containerProcess(['true'], { user: long }))).failed).toMatchObject({
        operation: 'user',
      });
    }
  });

  test('the positive control: a decoder of 16-bit lengths makes root of the same user', async () => {
    using rootfs = new Rootfs();
    const { user } = decodeNaively(encodeNaively(['user=app', `env=${variable}`]));
    expect((await runShell(rootfs, 'id -u', { user: user ?? '' })).stdout).toBe('0\n');
  });
});
