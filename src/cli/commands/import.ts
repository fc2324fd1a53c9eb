import { type Command, onlyOne, parseStrictly } from '../command.ts';

export const importCommand: Command = {
  summary: 'Take in an OCI layout, a `docker save` archive, or a root filesystem (directory or tar)',
  usage: 'import [-t NAME] PATH',

  async run({ args, io, openRuntime }) {
    const { values, positionals } = parseStrictly(args, { tag: { type: 'string', short: 't' } });
    const path = onlyOne(positionals, 'path');
    const runtime = await openRuntime();
    const image = await runtime.images.import(path, values.tag === undefined ? {} : { reference: values.tag });
    io.stdout.write(`${image.id}\n`);
    return 0;
  },
};
