import { hasHakoCode } from '../../base/errors.ts';
import type { Attachment, Container, ImageChoice } from '../../index.ts';
import { type CommandIo, defineCommand } from '../command.ts';
import { reserveFile } from '../files.ts';
import { containerOptions, containerSettings } from '../settings/index.ts';
import { connectTerminal, terminalSizeOf } from '../terminal/connect.ts';
import { forwardSignals } from '../terminal/signals.ts';
import { attachmentOf, attachOptions } from './attach-options.ts';

/** The word `host` is the host's own root: no image of that name can be imported. */
async function imageNamed(word: string): Promise<ImageChoice> {
  return word === 'host' ? (await import('../../index.ts')).Image.fromHost() : word;
}

const imageOperands = { usage: 'IMAGE [COMMAND [ARG…]]', min: 1 } as const;
const imageDetails = "IMAGE `host` is the host's own root, read-only.";

export const createCommand = defineCommand({
  name: 'create',
  summary: 'Make a container without starting it',
  operands: imageOperands,
  leading: true,
  options: containerOptions,
  details: imageDetails,

  async run({ values, operands: [image = '', ...command], io, openRuntime }) {
    using cidfile = values.cidfile === undefined ? undefined : reserveFile(values.cidfile, '--cidfile');
    const settings = containerSettings(values, await imageNamed(image), command);
    const runtime = await openRuntime();
    // Whoever starts it may be gone before its end.
    const container = await runtime.containers.create({ ...settings, detached: true });
    cidfile?.write(container.id);
    io.stdout.write(`${container.id}\n`);
    return 0;
  },
});

export const runCommand = defineCommand({
  name: 'run',
  summary: 'Run a program in a new container',
  operands: imageOperands,
  leading: true,
  options: {
    detach: { type: 'flag', short: 'd', help: 'Leave it running, and print its ID' },
    ...attachOptions,
    ...containerOptions,
  },
  details: `${imageDetails}

Without \`-d\`, \`-it\`, \`--restart\` or \`--sig-proxy=false\` the container ends with the command, also when that is killed.`,

  async run({ values, operands: [image = '', ...command], io, openRuntime }) {
    using cidfile = values.cidfile === undefined ? undefined : reserveFile(values.cidfile, '--cidfile');
    const { detach = false, interactive = false, tty = false, rm = false, restart = 'no' } = values;
    const outlives = detach || (interactive && tty) || restart !== 'no' || values['sig-proxy'] === false;
    const settings = containerSettings(values, await imageNamed(image), command);
    const runtime = await openRuntime();
    const size = tty ? terminalSizeOf(io) : {};
    const container = await runtime.containers.create({ ...settings, ...size, detached: outlives });
    cidfile?.write(container.id);
    let attachment: Attachment;
    try {
      attachment = await container.start({ attach: attachmentOf(values, detach ? null : { stdin: interactive }) });
    } catch (error) {
      if (rm) await removeEnded(container);
      throw error;
    }
    if (detach) {
      io.stdout.write(`${container.id}\n`);
      return 0;
    }
    const code = await follow(container, attachment, { interactive, tty, proxy: values['sig-proxy'] !== false }, io);
    if (code !== null && rm) await removeEnded(container);
    return code ?? 0;
  },
});

async function follow(
  container: Container,
  attachment: Attachment,
  { interactive, tty, proxy }: { readonly interactive: boolean; readonly tty: boolean; readonly proxy: boolean },
  io: CommandIo,
): Promise<number | null> {
  using _ = proxy ? forwardSignals((signal) => container.kill(signal)) : undefined;
  return await connectTerminal(attachment, { interactive, tty }, io);
}

/** Its own keeper may be at it, or done. */
async function removeEnded(container: Container): Promise<void> {
  try {
    await container.remove({ force: true });
  } catch (error) {
    if (!hasHakoCode(error, 'HAKO_ERR_CONTAINER_NOT_FOUND')) throw error;
  }
}
