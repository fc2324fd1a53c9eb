/** What a container has for whoever copies its files: libraries and programs of its own, and links where mounts go. */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { Canary } from '../support/canary.ts';
import { exchanging } from '../support/exchange.ts';
import { prepared, whole } from '../support/file-cases.ts';
import { describeWith, findTool } from '../support/requires.ts';
import { file, tar } from '../support/tar.ts';
import { openRuntime, writeBusyboxRoot } from '../support/test-runtime.ts';

/** A shared object that does something when it is loaded, and a name service for glibc. */
const trojanLibrary = `
#include <fcntl.h>
#include <unistd.h>
__attribute__((constructor)) static void loaded(void) { close(open("/loaded", O_CREAT | O_WRONLY, 0600)); }
int _nss_trojan_getpwnam_r(const char *n, void *p, char *b, unsigned long l, int *e) { (void)n; (void)p; (void)b; (void)l; *e = 2; return 0; }
`;

describeWith(
  { root: true, tools: ['busybox', 'python3', 'gcc', 'chroot', 'gzip'] },
  'a container with libraries and programs for whoever comes in',
  () => {
    const layTrojans = (root: string) => {
      const source = join(root, 'trojan.c');
      writeFileSync(source, trojanLibrary);
      const library = join(root, 'trojan.so');
      execFileSync('gcc', ['-shared', '-fPIC', '-o', library, source]);
      for (const place of ['lib', 'usr/lib', 'lib64', 'lib/x86_64-linux-gnu', 'usr/lib/x86_64-linux-gnu']) {
        mkdirSync(join(root, place), { recursive: true });
        for (const name of [
          'libnss_trojan.so.2',
          'libnss_files.so.2',
          'libnss_dns.so.2',
          'libc.so.6',
          'libresolv.so.2',
          'gconv/UTF-16.so',
        ])
          if (!name.includes('/')) copyFileSync(library, join(root, place, name));
      }
      writeFileSync(join(root, 'etc/ld.so.preload'), '/trojan.so\n');
      writeFileSync(join(root, 'etc/nsswitch.conf'), 'passwd: trojan\ngroup: trojan\nhosts: trojan\n');
    };

    // The sanitized worker has libraries: the sanitizers' own, and the host's.
    test.skipIf(process.env['HAKO_SANITIZE'] === '1')(
      'CVE-2019-14271: nothing of it is loaded, and the process that copies has nothing of it mapped',
      async () => {
        await using opened = await openRuntime();
        const scratch = mkdtempSync(join(tmpdir(), 'hako-trojan-'));
        try {
          const root = writeBusyboxRoot(join(scratch, 'root'));
          layTrojans(root);
          await opened.runtime.images.import({ kind: 'rootfs', rootfs: root }, { reference: 'trojan' });
          const container = await prepared(
            opened.runtime,
            'dd if=/dev/urandom of=/large bs=1M count=32 2>/dev/null; rm -f /loaded',
            { image: 'trojan' },
          );
          const { stream } = await container.copyOut('/large');
          stream.read(0);
          const seen = await expect
            .poll(() => mapsOfWorkers())
            .not.toEqual([])
            .then(() => mapsOfWorkers());
          expect(seen.filter((line) => / \//.test(line) && !/memfd:/.test(line))).toEqual([]);
          await whole(stream);
          await container.copyIn({ files: { 'a b': 'x' } }, '/root', { archive: false });
          await whole(container.export());
          await container.commit();
          await expect(container.statPath('/loaded')).rejects.toMatchObject({ code: 'HAKO_ERR_PATH_NOT_FOUND' });
          await container.remove({ force: true });
          // The positive control: a process that enters and then asks for a user's name.
          const enter = `import os, pwd\nos.chroot(${JSON.stringify(root)})\nos.chdir('/')\ntry: pwd.getpwnam('x')\nexcept KeyError: pass`;
          spawnSync('python3', ['-c', enter]);
          expect(existsSync(join(root, 'loaded'))).toBe(true);
        } finally {
          rmSync(scratch, { recursive: true, force: true });
        }
      },
    );

    test('CVE-2014-9357, CVE-2026-41567: its decompressors are not run, whatever an archive is packed with', async () => {
      await using opened = await openRuntime();
      const scratch = mkdtempSync(join(tmpdir(), 'hako-trojan-'));
      try {
        const root = writeBusyboxRoot(join(scratch, 'root'));
        mkdirSync(join(root, 'usr/bin'), { recursive: true });
        for (const name of ['xz', 'unxz', 'unpigz', 'pigz', 'gzip', 'gunzip', 'zstd', 'bzip2', 'bunzip2', 'tar'])
          for (const place of ['bin', 'usr/bin']) {
            rmSync(join(root, place, name), { force: true });
            writeFileSync(join(root, place, name), '#!/bin/sh\necho run > /run-by-host\ncat\n', { mode: 0o755 });
          }
        await opened.runtime.images.import({ kind: 'rootfs', rootfs: root }, { reference: 'trojan' });
        const container = await prepared(opened.runtime, 'true', { image: 'trojan' });
        const plain = tar(file('packed', 'content'));
        const pack = (tool: string) => execFileSync(findTool(tool) ?? tool, ['-c'], { input: plain });
        const forms: Record<string, Buffer> = { plain, gzip: gzipSync(plain), zstd: zstdCompressSync(plain) };
        for (const tool of ['xz', 'bzip2']) if (findTool(tool) !== undefined) forms[tool] = pack(tool);
        for (const [form, archive] of Object.entries(forms)) {
          const copied = container.copyIn(Readable.from([archive]), '/root');
          if (form === 'xz' || form === 'bzip2')
            await expect(copied, form).rejects.toMatchObject({ code: 'HAKO_ERR_INVALID_ARCHIVE' });
          else await copied;
        }
        expect((await container.statPath('/root/packed')).size).toBe(7);
        await container.commit();
        await expect(container.statPath('/run-by-host')).rejects.toMatchObject({ code: 'HAKO_ERR_PATH_NOT_FOUND' });
        await container.remove({ force: true });
        // The positive control: the decompressor is looked for after entering.
        spawnSync(findTool('chroot') ?? '', [root, 'gzip', '-d'], {
          input: gzipSync(plain),
          env: { PATH: '/usr/bin:/bin' },
        });
        expect(existsSync(join(root, 'run-by-host'))).toBe(true);
      } finally {
        rmSync(scratch, { recursive: true, force: true });
      }
    });
  },
);

function mapsOfWorkers(): readonly string[] {
  return readdirSync('/proc').flatMap((pid) => {
    try {
      if (!/^\d+$/.test(pid) || !readFileSync(`/proc/${pid}/cmdline`, 'latin1').startsWith('hako-worker')) return [];
      return readFileSync(`/proc/${pid}/maps`, 'latin1')
        .trimEnd()
        .split('\n')
        .filter((line) => line !== '');
    } catch {
      return [];
    }
  });
}

describeWith(
  { root: true, tools: ['busybox', 'python3'] },
  'places for mounts, made when a container that was never started is copied to',
  () => {
    test('CVE-2026-41568, CVE-2026-42306: they are made in the container, through its links, while those change', {
      timeout: 90_000,
    }, async () => {
      await using opened = await openRuntime();
      const { runtime } = opened;
      const scratch = mkdtempSync(join(tmpdir(), 'hako-places-'));
      const canary = new Canary(join(scratch, 'outside'));
      try {
        const shared = join(scratch, 'shared');
        mkdirSync(shared);
        writeFileSync(join(shared, 'it'), 'is shared');
        const root = writeBusyboxRoot(join(scratch, 'root'));
        for (const name of ['attack/d', 'run', 'var']) mkdirSync(join(root, name), { recursive: true });
        symlinkSync(canary.path, join(root, 'attack/link'));
        symlinkSync('/run', join(root, 'var/run'));
        await runtime.images.import({ kind: 'rootfs', rootfs: root }, { reference: 'places' });
        const mounts = Array.from(
          { length: 10 },
          (_, index) => ({ type: 'bind', source: shared, target: `/attack/d/v${index}/etc` }) as const,
        );
        const made = () =>
          runtime.containers.create({
            image: 'places',
            command: ['sh'],
            mounts: [...mounts, { type: 'bind', source: join(shared, 'it'), target: '/var/run/it' }],
          });
        const plain = await made();
        expect((await plain.statPath('/run/it')).size).toBe('is shared'.length);
        await plain.copyIn({ files: { in: 'in' } }, '/attack/d/v9/etc');
        expect(readFileSync(join(shared, 'in'), 'utf8')).toBe('in');
        await plain.remove();
        const deadline = Date.now() + 20_000;
        for (let round = 0; round < 40 && Date.now() < deadline; round++) {
          const container = await made();
          const upper = (await container.inspect()).graphDriver.data['UpperDir'] ?? '';
          mkdirSync(join(upper, 'attack/d'), { recursive: true });
          symlinkSync(canary.path, join(upper, 'attack/link'));
          {
            await using _racer = await exchanging(join(upper, 'attack'));
            await container
              .copyIn({ files: { new: 'x' } }, '/attack/d/v3/etc')
              .catch((error: unknown) => expect(error).toHaveProperty('code'));
          }
          await container.remove({ force: true });
          expect(canary.damage).toBeUndefined();
        }
        // The positive control: places are made by path.
        for (const name of ['d', 'link'])
          if (
            lstatSync(join(root, 'attack', name)).isSymbolicLink() &&
            readlinkSync(join(root, 'attack', name)) === canary.path
          )
            mkdirSync(join(root, 'attack', name, 'v0'), { recursive: true });
        expect(canary.damage).toBeDefined();
      } finally {
        rmSync(scratch, { recursive: true, force: true });
      }
    });
  },
);
