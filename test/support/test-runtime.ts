import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Runtime, type RuntimeOptions } from 'libhako';
import { findTool } from './requires.ts';

/** The reference of the image that {@link openRuntime} imports. */
export const busyboxImage = 'busybox:test';

const applets = [
  'sh',
  'true',
  'false',
  'echo',
  'cat',
  'sleep',
  'ls',
  'id',
  'head',
  'tail',
  'dd',
  'stty',
  'tty',
  'mount',
  'hostname',
  'pwd',
  'env',
  'printf',
  'mkdir',
  'ln',
  'rm',
  'wc',
  'grep',
  'kill',
  'seq',
  'yes',
  'touch',
  'stat',
  'readlink',
  'ps',
  'nc',
];

/** A root filesystem of busybox alone. */
export function writeBusyboxRoot(directory: string): string {
  const busybox = findTool('busybox');
  if (busybox === undefined) throw new Error('busybox is not installed');
  for (const name of ['bin', 'etc', 'root', 'home/app']) mkdirSync(join(directory, name), { recursive: true });
  copyFileSync(busybox, join(directory, 'bin/busybox'));
  for (const applet of applets) symlinkSync('busybox', join(directory, 'bin', applet));
  writeFileSync(
    join(directory, 'etc/passwd'),
    'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/home/app:/bin/sh\n1000:x:0:0:a name that is a number:/:/bin/sh\n',
  );
  writeFileSync(join(directory, 'etc/group'), 'root:x:0:\napp:x:1000:\nstaff:x:50:app\nwheel:x:10:app,root\n');
  return directory;
}

export interface TestRuntime extends AsyncDisposable {
  readonly runtime: Runtime;
  readonly root: string;
}

/** A runtime on a root of its own, with the busybox image; all gone afterwards. */
export async function openRuntime(options: Omit<RuntimeOptions, 'root'> = {}): Promise<TestRuntime> {
  const directory = mkdtempSync(join(tmpdir(), 'hako-runtime-'));
  const root = join(directory, 'root');
  const runtime = await Runtime.open({ ...options, root });
  await runtime.images.import(
    { kind: 'rootfs', rootfs: writeBusyboxRoot(join(directory, 'rootfs')), config: { cmd: ['/bin/sh'] } },
    { reference: busyboxImage },
  );
  return {
    runtime,
    root,
    [Symbol.asyncDispose]: async () => {
      await runtime.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
