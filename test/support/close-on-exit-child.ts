/** Keeps runtimes open on the roots that it is given, with a container running in each, and closes them on exit. */
import { once } from 'node:events';
import { closeOnExit, Runtime } from 'libhako';

interface Task {
  readonly roots: readonly string[];
  /** What the containers run; without it they are made and not started. */
  readonly script?: string;
  readonly timeout?: number;
  /** Also listens itself, and ends the process with this code. */
  readonly exitCode?: number;
  readonly ephemeral?: boolean;
}

const { roots, script, timeout, exitCode, ephemeral = false } = JSON.parse(process.argv[2] ?? '') as Task;

for (const root of roots) {
  const runtime = await Runtime.open({ root });
  closeOnExit(runtime, timeout === undefined ? {} : { timeout });
  closeOnExit(runtime, timeout === undefined ? {} : { timeout });
  const command = ['sh', '-c', script ?? 'true'];
  const container = await runtime.containers.create({ image: 'busybox:test', name: 'kept', command, ephemeral });
  if (script !== undefined) {
    // Until its trap is set: before, a first process ignores the signal.
    const attachment = await container.start({ attach: {} });
    await once(attachment.stdout, 'data');
    await attachment.close();
  }
  if (exitCode !== undefined)
    process.on('SIGTERM', async () => {
      await runtime.close();
      process.exit(exitCode);
    });
}
process.stdout.write('ready\n');
