import { type Command, parseStrictly, wantsJson } from '../command.ts';
import { formatAge, formatBytes, formatTable, shortId } from '../table.ts';

export const imagesCommand: Command = {
  summary: 'List images',
  usage: 'images [-q] [--format json]',

  async run({ args, io, openRuntime }) {
    const { values } = parseStrictly(args, { quiet: { type: 'boolean', short: 'q' }, format: { type: 'string' } });
    const json = wantsJson(values.format);
    const runtime = await openRuntime();
    const images = await runtime.images.list();
    if (values.quiet === true) io.stdout.write(images.map(({ id }) => `${shortId(id)}\n`).join(''));
    else if (json) io.stdout.write(images.map((each) => `${JSON.stringify(each)}\n`).join(''));
    else {
      const rows = images.flatMap((image) =>
        (image.references.length > 0 ? image.references : ['<none>']).map((reference) => [
          reference,
          shortId(image.id),
          image.createdAt === null ? 'N/A' : `${formatAge(image.createdAt)} ago`,
          formatBytes(image.size),
        ]),
      );
      io.stdout.write(formatTable(['IMAGE', 'ID', 'CREATED', 'SIZE'], rows));
    }
    return 0;
  },
};
