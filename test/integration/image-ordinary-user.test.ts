import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { closedSources } from '../support/readable-sources.ts';
import { describeWith } from '../support/requires.ts';
import { sourceCommand } from '../support/source-process.ts';

const nobody = 65_534;
// In a mount namespace of its own, so that the machine's files stay as they are.
const asUser =
  'for file in subuid subgid; do test ! -e /etc/$file || mount --bind "$1" /etc/$file; done; shift; exec setpriv --reuid=65534 --regid=65534 --clear-groups "$@"';

describeWith(
  { root: true, tools: ['busybox', 'unshare', 'setpriv', 'newuidmap'], other: closedSources },
  'an image of an ordinary user',
  () => {
    const use = async (
      storage: string,
      ranges: string,
    ): Promise<{ seen: string; left: string[]; warnings: string[] }> => {
      const scratch = mkdtempSync(join(tmpdir(), 'hako-user-'));
      try {
        const file = join(scratch, 'ranges');
        writeFileSync(file, ranges);
        const { stdout } = await promisify(execFile)(
          'unshare',
          ['-m', 'sh', '-c', asUser, 'sh', file, ...sourceCommand('image-user-child.ts', [storage])],
          { env: { PATH: process.env['PATH'], HOME: '/nonexistent' } },
        );
        return JSON.parse(stdout) as { seen: string; left: string[]; warnings: string[] };
      } finally {
        rmSync(scratch, { recursive: true });
      }
    };

    it.each(['overlay2', 'vfs'])(
      'with ids of its own, on %s: owners are as in the image, and all of it can be removed',
      async (storage) => {
        expect(await use(storage, `nobody:200000:65536\n${nobody}:200000:65536\n`)).toEqual({
          seen: 'app 1000 700\napp/secret 1000 600\nnew\nchowned\n',
          left: [],
          warnings: [],
        });
      },
    );

    it.each(['overlay2', 'vfs'])('without, on %s: all belongs to the one id there is', async (storage) => {
      // That a file was given away is what it is told, not what is so (the mode's idEmulation).
      expect(await use(storage, '')).toEqual({
        seen: 'app 0 700\napp/secret 0 600\nnew\nchowned\n',
        left: [],
        warnings: [],
      });
    });
  },
);
