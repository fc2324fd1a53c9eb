import { setTimeout as sleep } from 'node:timers/promises';
import { defineCommand } from '../command.ts';
import { visible } from '../output/visible.ts';

const endings = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** The longest that a timer can be set for, in milliseconds. */
const longest = 2 ** 31 - 1;

export const keepCommand = defineCommand({
  name: 'keep',
  summary: 'Look after detached containers until it is told to end',
  operands: { usage: '', min: 0, max: 0 },
  options: {},
  details: `Restart policies, health checks and \`--rm\` are kept by a process. A command that starts a container and returns leaves that
to \`hako keep\`, which takes over whatever other processes on the root have left, within a second or two, also when they were
killed; so it does with what they had begun, and with logs that are still to be delivered. It says so when it is there, and ends
with SIGINT, SIGTERM or SIGHUP; the containers go on. Several do no harm: each container is kept by one. For a service
manager: \`ExecStart=hako keep\`, \`Restart=always\`.`,
  async run({ io, openRuntime }) {
    const ended = new AbortController();
    const end = () => ended.abort();
    for (const signal of endings) process.on(signal, end);
    try {
      const runtime = await openRuntime();
      io.stdout.write(`Keeping the containers of ${visible((await runtime.info()).root)}\n`);
      while (!ended.signal.aborted) await sleep(longest, null, { signal: ended.signal }).catch(() => {});
      return 0;
    } finally {
      for (const signal of endings) process.off(signal, end);
    }
  },
});
