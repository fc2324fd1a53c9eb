import { HakoError } from '../../base/errors.ts';
import { type Container, type CreateOptions, Image, type ImageChoice } from '../../index.ts';
import { type Command, type CommandContext, parseLeading, parseNumber, parsePairs } from '../command.ts';
import { forwardSignals } from '../signals.ts';
import { connectTerminal } from '../terminal.ts';

const options = {
  name: { type: 'string' },
  detach: { type: 'boolean', short: 'd' },
  interactive: { type: 'boolean', short: 'i' },
  tty: { type: 'boolean', short: 't' },
  rm: { type: 'boolean' },
  env: { type: 'string', short: 'e', multiple: true },
  label: { type: 'string', short: 'l', multiple: true },
  workdir: { type: 'string', short: 'w' },
  user: { type: 'string', short: 'u' },
  'group-add': { type: 'string', multiple: true },
  hostname: { type: 'string', short: 'h' },
  entrypoint: { type: 'string' },
  mode: { type: 'string' },
  privileged: { type: 'boolean' },
  init: { type: 'boolean' },
  'read-only': { type: 'boolean' },
  volume: { type: 'string', short: 'v', multiple: true },
  network: { type: 'string' },
  pid: { type: 'string' },
  'cap-add': { type: 'string', multiple: true },
  'cap-drop': { type: 'string', multiple: true },
  memory: { type: 'string', short: 'm' },
  'memory-swap': { type: 'string' },
  cpus: { type: 'string' },
  'cpu-shares': { type: 'string', short: 'c' },
  'cpuset-cpus': { type: 'string' },
  'pids-limit': { type: 'string' },
  'stop-signal': { type: 'string' },
  'log-driver': { type: 'string' },
  'log-opt': { type: 'string', multiple: true },
} as const;

type Values = ReturnType<typeof parseLeading<typeof options>>['values'];

/** The image word `host` is the host's own root: no image of that name can be imported. */
const hostImage = 'host';

export const runCommand: Command = {
  summary: 'Run a program in a new container',
  usage: `run [OPTIONS] IMAGE [COMMAND [ARG…]]\n\nOptions (as Docker's): ${Object.keys(options)
    .map((name) => `--${name}`)
    .join(' ')}\nIMAGE 'host' is the host's own root, read-only.`,

  async run({ args, io, openRuntime }: CommandContext): Promise<number> {
    const { values, rest } = parseLeading(args, options);
    const [image, ...command] = rest;
    if (image === undefined)
      throw new HakoError('INVALID_OPTION', 'Name an image: hako run [OPTIONS] IMAGE [COMMAND [ARG…]].');
    const runtime = await openRuntime();
    const container = await runtime.containers.create(containerOptions(values, image, command));
    if (values.detach === true) {
      await container.start();
      io.stdout.write(`${container.id}\n`);
      return 0;
    }
    try {
      return await runAttached(container, values, io);
    } finally {
      await container.close();
    }
  },
};

async function runAttached(container: Container, values: Values, io: CommandContext['io']): Promise<number> {
  const attachment = await container.start({
    attach: { stdin: values.interactive === true, stdout: true, stderr: true },
  });
  using _ = forwardSignals((signal) => container.kill(signal));
  return await connectTerminal(attachment, { interactive: values.interactive === true, tty: values.tty === true }, io);
}

function containerOptions(values: Values, image: string, command: readonly string[]): CreateOptions<ImageChoice> {
  const number = (name: 'cpus' | 'cpu-shares' | 'pids-limit') =>
    values[name] === undefined ? undefined : parseNumber(values[name], `--${name}`);
  const resources = {
    memory: values.memory,
    memorySwap: values['memory-swap'],
    cpus: number('cpus'),
    cpuShares: number('cpu-shares'),
    cpusetCpus: values['cpuset-cpus'],
    pids: number('pids-limit'),
  };
  return defined<CreateOptions<ImageChoice>>({
    image: image === hostImage ? Image.fromHost() : image,
    name: values.name,
    command: command.length > 0 ? [...command] : undefined,
    entrypoint: values.entrypoint === undefined ? undefined : [values.entrypoint],
    detached: values.detach === true,
    // A detached one is removed by whatever opens the root after its end.
    ephemeral: values.rm === true,
    stdin: values.interactive === true,
    tty: values.tty === true,
    env: parsePairs(values.env, (name) => process.env[name]),
    labels: parsePairs(values.label),
    workingDirectory: values.workdir,
    user: values.user,
    groups: values['group-add'],
    hostname: values.hostname,
    mode: values.privileged === true ? 'privileged' : values.mode,
    init: values.init,
    readonlyRoot: values['read-only'],
    mounts: values.volume?.map(parseVolume),
    namespaces: defined({ network: namespaceChoice(values.network), pid: namespaceChoice(values.pid) }),
    capabilities: defined({ add: values['cap-add'], drop: values['cap-drop'] }),
    resources: defined(resources),
    stopSignal: values['stop-signal'],
    log:
      values['log-driver'] === undefined && values['log-opt'] === undefined
        ? undefined
        : { driver: values['log-driver'] ?? 'json-file', options: parsePairs(values['log-opt']) },
  });
}

/** Leaves out what is undefined: with exact optional properties an absent option and `undefined` differ. */
function defined<T extends object>(value: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as T;
}

function parseVolume(text: string) {
  const [source, target, flags = ''] = text.split(':');
  if (source === undefined || target === undefined || !source.startsWith('/')) {
    throw new HakoError(
      'INVALID_OPTION',
      `'${text}' is not a volume: write /directory/of/the/host:/directory/of/the/container[:ro].`,
    );
  }
  return { type: 'bind' as const, source, target, readonly: flags.split(',').includes('ro') };
}

function namespaceChoice(text: string | undefined) {
  if (text === undefined || text === 'none' || text === 'private') return text === undefined ? undefined : 'private';
  if (text === 'host') return 'host';
  const container = /^container:(.+)$/.exec(text)?.[1];
  if (container === undefined)
    throw new HakoError('INVALID_OPTION', `'${text}' is not a namespace: write none, host or container:NAME.`);
  return { container };
}
