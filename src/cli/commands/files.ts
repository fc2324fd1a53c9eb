import { pipeline } from 'node:stream/promises';
import { HakoError } from '../../base/errors.ts';
import type { FileChange } from '../../index.ts';
import { defineCommand } from '../command.ts';
import { writeStream } from '../files.ts';
import { visible } from '../output/visible.ts';

interface Side {
  readonly container: string | null;
  readonly path: string;
}

export const cpCommand = defineCommand({
  name: 'cp',
  summary: 'Copy files between a container and the host',
  operands: { usage: 'FROM TO', min: 2, max: 2 },
  options: {
    archive: { type: 'flag', short: 'a', help: 'Keep user and group ids' },
    'keep-special': { type: 'flag', help: 'To the host: keep set-user-ID modes, devices and file capabilities too' },
    'follow-link': { type: 'flag', short: 'L', help: 'Copy what a symbolic link leads to' },
  },
  details:
    'One side is `CONTAINER:PATH`, the other a path of the host, or `-` for a tar on stdin or stdout. The rules for directories are those of `docker cp`: a path that ends in `/.` means what is in it.',

  async run({ values, operands: [from = '', to = ''], io, openRuntime }) {
    const [source, target] = [sideOf(from), sideOf(to)];
    if ((source.container === null) === (target.container === null))
      throw new HakoError('INVALID_OPTION', 'Write CONTAINER:PATH for one of the two sides.');
    if (target.path === '-' && target.container === null) refuseTerminal(io.stdout);
    const runtime = await openRuntime();
    const container = await runtime.containers.get(source.container ?? target.container ?? '');
    const options = {
      followLink: values['follow-link'] === true,
      ...(values.archive === undefined ? {} : { archive: values.archive }),
    };
    if (target.container !== null)
      await container.copyIn(source.path === '-' ? io.stdin : source.path, target.path, options);
    else if (target.path !== '-')
      await container.copyOut(source.path, target.path, { ...options, keepSpecial: values['keep-special'] === true });
    else {
      const { stream } = await container.copyOut(source.path, { followLink: options.followLink });
      await pipeline(stream, io.stdout, { end: false });
    }
    return 0;
  },
});

const letters: Readonly<Record<FileChange['kind'], string>> = { added: 'A', modified: 'C', deleted: 'D' };

export const diffCommand = defineCommand({
  name: 'diff',
  summary: 'Tell what a container has changed of its image: A added, C changed, D deleted',
  operands: { usage: 'CONTAINER', min: 1, max: 1 },
  options: {},
  async run({ operands: [name = ''], io, openRuntime }) {
    const runtime = await openRuntime();
    const changes = await (await runtime.containers.get(name)).diff();
    io.stdout.write(changes.map(({ kind, path }) => `${letters[kind]} ${visible(path)}\n`).join(''));
    return 0;
  },
});

export const exportCommand = defineCommand({
  name: 'export',
  summary: "Write a container's root filesystem as a tar",
  operands: { usage: 'CONTAINER', min: 1, max: 1 },
  options: { output: { type: 'text', short: 'o', value: 'FILE', help: 'Instead of stdout' } },
  async run({ values, operands: [name = ''], io, openRuntime }) {
    if (values.output === undefined) refuseTerminal(io.stdout);
    const runtime = await openRuntime();
    const stream = (await runtime.containers.get(name)).export();
    if (values.output === undefined) await pipeline(stream, io.stdout, { end: false });
    else await pipeline(stream, writeStream(values.output));
    return 0;
  },
});

/** A path with a slash or a dot at its beginning is one of the host, whatever else is in it. */
function sideOf(word: string): Side {
  const colon = word.indexOf(':');
  if (colon <= 0 || /^[./]/.test(word)) return { container: null, path: word };
  return { container: word.slice(0, colon), path: word.slice(colon + 1) };
}

function refuseTerminal(stdout: NodeJS.WriteStream): void {
  if (stdout.isTTY)
    throw new HakoError('INVALID_OPTION', 'A tar is not for a terminal: redirect the output, or name a file.');
}
