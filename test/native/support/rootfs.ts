import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const busybox = '/bin/busybox';
const applets =
  'sh cat id ls true sleep ps hostname mount umount readlink stat grep env pwd echo tty kill ip mkdir mknod dd stty head wc tail'.split(
    ' ',
  );

const passwd = `root:x:0:0:root:/root:/bin/sh
1000:x:0:0:a name that is a number:/trap:/bin/sh
app:x:1000:1000::/home/app:/bin/sh
far:x:4294967296:0::/:/bin/sh
`;
const group = `root:x:0:
wheel:x:10:root,app
app:x:1000:
extra:x:2000:someone,app
1000:x:0:
`;

/** A root filesystem of one static program, which a test may spoil as it likes; removed with it. */
export class Rootfs implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'hako-rootfs-'));

  constructor() {
    // An ordinary user of the host must be able to come here.
    chmodSync(this.path, 0o755);
    for (const directory of ['bin', 'etc', 'tmp', 'proc', 'sys', 'dev', 'root', 'home/app'])
      mkdirSync(this.at(directory), { recursive: true });
    copyFileSync(busybox, this.at('bin/busybox'));
    for (const applet of applets) symlinkSync('busybox', this.at(`bin/${applet}`));
    this.write('etc/passwd', passwd);
    this.write('etc/group', group);
  }

  at(path: string): string {
    return join(this.path, path);
  }

  write(path: string, content: string | Uint8Array, mode = 0o644): void {
    writeFileSync(this.at(path), content, { mode });
  }

  read(path: string): string {
    return readFileSync(this.at(path), 'utf8');
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
