/** Imports an image, runs it and removes it, as whoever runs this; says what was seen from inside and what was left. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Runtime } from 'libhako';
import { buildImage, layerOf, layoutOf, writeFiles } from './image-fixtures.ts';
import { findTool } from './requires.ts';

const [storage = 'overlay2'] = process.argv.slice(2);
const directory = mkdtempSync(join(tmpdir(), 'hako-user-'));
const root = join(directory, 'root');
const warnings: string[] = [];
const image = buildImage({
  layers: [
    {
      tar: layerOf(
        { name: 'bin/busybox', data: readFileSync(findTool('busybox') ?? ''), mode: 0o755 },
        { type: '5', name: 'app/', uid: 1000, gid: 1000, mode: 0o700 },
        { name: 'app/secret', uid: 1000, gid: 1000, mode: 0o600, data: 'x' },
        { name: 'd/old', data: 'x' },
      ),
    },
    { tar: layerOf({ name: 'd/.wh..wh..opq' }, { name: 'd/new', data: 'x' }) },
  ],
});
// What a container leaves for somebody else to remove: directories of another id, closed to all but them.
const script =
  'cd /; stat -c "%n %u %a" app app/secret; ls d; mkdir -p /x/y && (chown 5:5 /x/y && chmod 700 /x/y) 2>/dev/null && echo chowned';

let seen = '';
{
  await using runtime = await Runtime.open({ root, storage });
  runtime.on('warning', ({ message }) => warnings.push(message));
  await runtime.images.import(writeFiles(join(directory, 'layout'), layoutOf(image)), { reference: 'app' });
  const { stdout } = await runtime.run({ image: 'app', command: ['/bin/busybox', 'sh', '-c', script] });
  seen = stdout.toString();
  await runtime.images.remove('app');
}
const left = [storage, `${storage}/.trash`, `${storage}/.tmp`, 'content/blobs/sha256', 'content/ingest'].flatMap(
  (path) => readdirSync(join(root, path)).filter((name) => !name.startsWith('.')),
);
rmSync(directory, { recursive: true });
process.stdout.write(JSON.stringify({ seen, left, warnings }));
