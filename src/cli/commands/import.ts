import { type Command, onlyOne, parseStrictly } from '../command.ts';

export const importCommand: Command = {
  summary: 'Take in an OCI layout, a `docker save` archive, or a root filesystem (directory or tar)',
  usage:
    'import [-t NAME] [--rootfs] PATH\n\nA directory without oci-layout is taken for a root filesystem; say --rootfs for a tar of one.',

  async run({ args, io, openRuntime }) {
    const { values, positionals } = parseStrictly(args, {
      tag: { type: 'string', short: 't' },
      rootfs: { type: 'boolean' },
    });
    const path = onlyOne(positionals, 'path');
    const runtime = await openRuntime();
    const source = values.rootfs === true ? ({ kind: 'rootfs', rootfs: path } as const) : path;
    const image = await runtime.images.import(source, values.tag === undefined ? {} : { reference: values.tag });
    io.stdout.write(`${image.id}\n`);
    return 0;
  },
};
