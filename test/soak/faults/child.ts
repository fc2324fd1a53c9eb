/**
 * One life of a container, while system calls of this very process are made to fail. Says on stdout how it went: `all`,
 * or the code of the error. argv: the entry of libhako, root, image.
 */
import { writeSync } from 'node:fs';
import type * as Libhako from 'libhako';

const [entry = '', root = '', image = ''] = process.argv.slice(2);
const { Runtime } = (await import(entry)) as typeof Libhako;

try {
  await using runtime = await Runtime.open({ root });
  const container = await runtime.containers.create({
    image,
    name: 'subject',
    command: ['sh', '-c', 'echo x; exit 3'],
  });
  await container.start();
  const { exitCode } = await container.wait();
  if (exitCode !== 3) throw new Error(`exit code ${exitCode}`);
  await runtime.run({ image, command: ['true'] });
  await container.remove();
  writeSync(1, 'all');
} catch (error) {
  const { code, message } = error as { code?: string; message: string };
  writeSync(1, code?.startsWith('HAKO_ERR_') ? code : `${code}: ${message}`);
}
