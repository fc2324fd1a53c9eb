import { defineCommand } from '../command.ts';
import { defined } from '../values.ts';
import { parseChanges } from './commit-changes.ts';

export const commitCommand = defineCommand({
  name: 'commit',
  summary: 'Make an image of a container',
  operands: { usage: 'CONTAINER [NAME[:TAG]]', min: 1, max: 2 },
  options: {
    author: { type: 'text', short: 'a', value: 'AUTHOR', help: 'Who made it' },
    message: { type: 'text', short: 'm', value: 'TEXT', help: 'For the history of the image' },
    change: {
      type: 'list',
      short: 'c',
      value: 'INSTRUCTION',
      help: 'An instruction of a Dockerfile, such as CMD ["/bin/app"] or ENV A=b',
    },
    pause: { type: 'flag', short: 'p', help: 'Hold the container meanwhile; default: where the host can' },
  },

  async run({ values, operands: [name = '', reference], io, openRuntime }) {
    const config = parseChanges(values.change);
    const runtime = await openRuntime();
    const container = await runtime.containers.get(name);
    const image = await container.commit({
      ...defined({ reference, author: values.author, comment: values.message, pause: values.pause }),
      ...(Object.keys(config).length === 0 ? {} : { config }),
    });
    io.stdout.write(`${image.id}\n`);
    return 0;
  },
});
