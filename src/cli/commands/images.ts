import type { Image } from '../../index.ts';
import { defineCommand, forEachOperand } from '../command.ts';
import { type ListColumn, listPrinter, type Row } from '../output/list.ts';
import { formatAge, formatBytes, shortId } from '../output/units.ts';
import { listFormat } from '../output/values.ts';

const columns = [
  { field: 'Repository', heading: 'REPOSITORY', flexible: true },
  { field: 'Tag', heading: 'TAG', flexible: true },
  { field: 'ID', heading: 'IMAGE ID' },
  { field: 'CreatedAt', heading: 'CREATED AT', hidden: true },
  { field: 'CreatedSince', heading: 'CREATED' },
  { field: 'Size', heading: 'SIZE' },
] as const satisfies readonly ListColumn[];

export const imagesCommand = defineCommand({
  name: 'images',
  summary: 'List images',
  operands: { usage: '', min: 0, max: 0 },
  options: {
    quiet: { type: 'flag', short: 'q', help: 'IDs alone' },
    'no-trunc': { type: 'flag', help: 'Show everything in full' },
    ...listFormat,
  },

  async run({ values, io, openRuntime }) {
    const whole = values['no-trunc'] === true;
    const print = listPrinter(columns, { format: values.format, stdout: io.stdout, cut: !whole });
    const runtime = await openRuntime();
    const images = await runtime.images.list();
    const rows = images.flatMap((image) => rowsOf(image, whole));
    // Once for an image, however many names it has.
    const ids = [...new Set(rows.map(({ ID }) => `${ID}\n`))];
    io.stdout.write(values.quiet === true ? ids.join('') : print(rows));
    return 0;
  },
});

function rowsOf(image: Image, whole: boolean): readonly Row<(typeof columns)[number]['field']>[] {
  const names = image.references.length > 0 ? image.references.map(splitReference) : [['<none>', '<none>'] as const];
  return names.map(([repository, tag]) => ({
    Repository: whole ? repository : familiar(repository),
    Tag: tag,
    ID: whole ? image.id : shortId(image.id),
    CreatedAt: image.createdAt?.toISOString() ?? 'N/A',
    CreatedSince: image.createdAt === null ? 'N/A' : `${formatAge(image.createdAt)} ago`,
    Size: formatBytes(image.size),
  }));
}

function splitReference(reference: string): readonly [repository: string, tag: string] {
  const [, repository = reference, tag = '<none>'] = /^(.*?)(?::([^:/@]+))?(?:@.*)?$/.exec(reference) ?? [];
  return [repository, tag];
}

/** As people write it. */
function familiar(repository: string): string {
  return repository.replace(/^docker\.io\/(library\/)?/, '');
}

export const rmiCommand = defineCommand({
  name: 'rmi',
  summary: 'Remove images',
  operands: { usage: 'IMAGE…', min: 1 },
  options: {},
  async run(call) {
    const runtime = await call.openRuntime();
    return forEachOperand(call, async (name) => {
      await runtime.images.remove(name);
      return name;
    });
  },
});

export const tagCommand = defineCommand({
  name: 'tag',
  summary: 'Give an image a further name',
  operands: { usage: 'IMAGE NAME[:TAG]', min: 2, max: 2 },
  options: {},
  async run({ operands: [image = '', name = ''], openRuntime }) {
    const runtime = await openRuntime();
    await runtime.images.tag(image, name);
    return 0;
  },
});
