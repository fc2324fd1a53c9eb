/** Starts a container whose log is sent away, says so, and waits to be killed. */
import { type ContainerSettings, Runtime } from 'libhako';
import { sending } from './sending-log-driver.ts';

const [root = '', options = '{}'] = process.argv.slice(2);
const runtime = await Runtime.open({ root, plugins: [sending] });
const container = await runtime.containers.create({
  ...(JSON.parse(options) as ContainerSettings),
  image: 'busybox:test',
});
await container.start();
process.stdout.write('started\n');
setInterval(() => {}, 1_000);
