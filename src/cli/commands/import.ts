import { HakoError } from '../../base/errors.ts';
import type { ImageSource } from '../../index.ts';
import { type CommandIo, defineCommand } from '../command.ts';
import { defined } from '../values.ts';

export const importCommand = defineCommand({
  name: 'import',
  summary: 'Take in an OCI layout, an archive of `docker save`, or a root filesystem (directory or tar)',
  operands: { usage: 'PATH|- [NAME[:TAG]]', min: 1, max: 2 },
  options: {
    tag: { type: 'text', short: 't', value: 'NAME[:TAG]', help: 'Name of the image' },
    rootfs: { type: 'flag', help: 'The tar is a root filesystem, and no image' },
  },
  details: 'A directory without `oci-layout` is taken for a root filesystem; `-` is a tar on stdin.',

  async run({ values, operands: [path = '', name], io, openRuntime }) {
    if (values.tag !== undefined && name !== undefined)
      throw new HakoError('INVALID_OPTION', 'The name is given twice, by --tag and after the path; leave one out.');
    const runtime = await openRuntime();
    const bytes = path === '-' ? io.stdin : path;
    const source: string | ImageSource =
      values.rootfs === true
        ? { kind: 'rootfs', rootfs: bytes }
        : path === '-'
          ? { kind: 'archive', archive: bytes }
          : path;
    const image = await runtime.images.import(source, defined({ reference: values.tag ?? name }));
    io.stdout.write(`${image.id}\n`);
    return 0;
  },
});

export const loadCommand = defineCommand({
  name: 'load',
  summary: 'Take in every image of an archive',
  operands: { usage: '', min: 0, max: 0 },
  options: { input: { type: 'text', short: 'i', value: 'PATH', help: 'Instead of stdin' } },
  async run({ values, io, openRuntime }) {
    const archive = values.input ?? standardInput(io);
    const runtime = await openRuntime();
    const images = await runtime.images.importAll(typeof archive === 'string' ? archive : { kind: 'archive', archive });
    for (const { id, references } of images) {
      const names =
        references.length === 0 ? [`Loaded image ID: ${id}`] : references.map((each) => `Loaded image: ${each}`);
      io.stdout.write(`${names.join('\n')}\n`);
    }
    return 0;
  },
});

function standardInput({ stdin }: CommandIo): NodeJS.ReadStream {
  if (!stdin.isTTY) return stdin;
  throw new HakoError('INVALID_OPTION', 'Give an archive on stdin, or with --input.');
}
