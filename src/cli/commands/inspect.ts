import { HakoError, hasHakoCode } from '../../base/errors.ts';
import type { Runtime } from '../../index.ts';
import { defineCommand } from '../command.ts';
import { failureCode } from '../exit-code.ts';
import { valueFormat, valuePrinter } from '../output/values.ts';
import { sentenceOf } from '../sentence.ts';

const types = ['container', 'image'] as const;

export const inspectCommand = defineCommand({
  name: 'inspect',
  summary: 'Tell everything that is known of containers and images, in JSON',
  operands: { usage: 'NAME…', min: 1 },
  options: {
    type: { type: 'text', value: 'TYPE', help: 'container or image; default: a container, else an image' },
    ...valueFormat,
  },

  async run({ values, operands, io, openRuntime }) {
    const type = types.find((each) => each === values.type);
    if (values.type !== undefined && type === undefined)
      throw new HakoError('INVALID_OPTION', `--type is container or image; '${values.type}' is neither.`);
    const print = valuePrinter(values.format);
    const runtime = await openRuntime();
    const found: unknown[] = [];
    let code = 0;
    for (const name of operands) {
      try {
        found.push(await look(runtime, name, type));
      } catch (error) {
        if (!(error instanceof HakoError)) throw error;
        io.stderr.write(`hako: ${sentenceOf(error)}\n`);
        code = failureCode;
      }
    }
    io.stdout.write(print === undefined ? `${JSON.stringify(found, null, 2)}\n` : found.map(print).join(''));
    return code;
  },
});

async function look(runtime: Runtime, name: string, type: (typeof types)[number] | undefined): Promise<unknown> {
  if (type === 'image') return runtime.images.get(name);
  try {
    return await (await runtime.containers.get(name)).inspect();
  } catch (error) {
    if (type === 'container' || !hasHakoCode(error, 'HAKO_ERR_CONTAINER_NOT_FOUND')) throw error;
  }
  try {
    return await runtime.images.get(name);
  } catch (cause) {
    throw new HakoError('CONTAINER_NOT_FOUND', `There is neither a container nor an image '${name}'.`, { cause });
  }
}
