import { HakoError, hasHakoCode } from '../../base/errors.ts';
import type { Attachment, Container, ImageChoice } from '../../index.ts';
import { type CommandIo, defineCommand } from '../command.ts';
import { reserveFile } from '../files.ts';
import { containerOptions, containerSettings } from '../settings/index.ts';
import { connectTerminal, requireTerminal, terminalSizeOf } from '../terminal/connect.ts';
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
    attach: { type: 'list', short: 'a', value: 'STREAM', help: 'Only these of stdin, stdout and stderr' },
    quiet: { type: 'flag', short: 'q', help: 'Say nothing of a pull; there is none' },
    ...attachOptions,
    ...containerOptions,
  },
  details: `${imageDetails}

Without \`-d\`, \`-it\`, \`--restart\` or \`--sig-proxy=false\` the container ends with the command, also when that is killed.`,

  async run({ values, operands: [image = '', ...command], io, openRuntime }) {
    using cidfile = values.cidfile === undefined ? undefined : reserveFile(values.cidfile, '--cidfile');
    const { detach = false, interactive = false, tty = false, rm = false, restart = 'no' } = values;
    const outlives = detach || (interactive && tty) || restart !== 'no' || values['sig-proxy'] === false;
    const streams = streamsOf(values.attach, { detach, interactive });
    if (!detach) requireTerminal({ interactive, tty }, io);
    const settings = containerSettings(values, await imageNamed(image), command);
    const runtime = await openRuntime();
    const size = tty ? terminalSizeOf(io) : {};
    const container = await runtime.containers.create({ ...settings, ...size, detached: outlives });
    cidfile?.write(container.id);
    let attachment: Attachment;
    try {
      attachment = await container.start({ attach: attachmentOf(values, detach ? null : streams) });
    } catch (error) {
      if (rm) await removeEnded(container);
      throw error;
    }
    if (detach) {
      io.stdout.write(`${container.id}\n`);
      return 0;
    }
    const code = await follow(
      container,
      attachment,
      { interactive: streams.stdin, tty, proxy: values['sig-proxy'] !== false },
      io,
    );
    if (code !== null && rm) await removeEnded(container);
    return code ?? 0;
  },
});

/** @throws HakoError `HAKO_ERR_INVALID_OPTION` */
function streamsOf(
  words: readonly string[],
  { detach, interactive }: { readonly detach: boolean; readonly interactive: boolean },
): { readonly stdin: boolean; readonly stdout: boolean; readonly stderr: boolean } {
  if (words.length === 0) return { stdin: interactive, stdout: true, stderr: true };
  const names = words.map((word) => word.toLowerCase());
  const wrong = names.find((name) => !['stdin', 'stdout', 'stderr'].includes(name));
  if (wrong !== undefined)
    throw new HakoError('INVALID_OPTION', `--attach: '${wrong}' is no stream: write stdin, stdout or stderr.`);
  if (detach) throw new HakoError('INVALID_OPTION', '--attach and --detach contradict each other.');
  const has = (name: string) => names.includes(name);
  return { stdin: interactive && has('stdin'), stdout: has('stdout'), stderr: has('stderr') };
}

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
