/** Opens a runtime in worker threads that work without end, terminates them, and says what is left of each. */
import { existsSync, readdirSync, readlinkSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { Image, Runtime } from 'libhako';

const image = Image.fromHost();

async function work(root) {
  const runtime = await Runtime.open({ root });
  const container = await runtime.containers.create({ image, command: ['sleep', '100'], ephemeral: true });
  await container.start();
  const { pid, supervisorPid } = (await container.inspect()).state;
  parentPort.postMessage([pid, supervisorPid]);
  for (;;) await Promise.all([runtime.run({ image, command: ['true'] }), container.exec(['true'])]);
}

const ofHako = /memfd:hako|pidfd|\/containers\/|\/claims\/|hako\.db/;

function descriptors() {
  return readdirSync('/proc/self/fd')
    .map((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`);
      } catch {
        return '';
      }
    })
    .filter((path) => ofHako.test(path));
}

if (isMainThread) {
  const root = process.argv[2];
  const said = { descriptors: [], processes: [], ran: '' };
  for (let round = 0; round < 4; round++) {
    const worker = new Worker(new URL(import.meta.url), { workerData: root });
    const pids = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
    await delay(50 + 40 * round);
    await worker.terminate();
    for (let look = 0; look < 300 && pids.some((pid) => existsSync(`/proc/${pid}`)); look++) await delay(10);
    said.processes.push(...pids.filter((pid) => existsSync(`/proc/${pid}`)));
  }
  said.descriptors = descriptors();
  const runtime = await Runtime.open({ root });
  said.ran = (await runtime.run({ image, command: ['echo', 'fine'] })).stdout.toString();
  said.containers = (await runtime.containers.list()).length;
  await runtime.close();
  said.after = descriptors();
  console.log(JSON.stringify(said));
} else await work(workerData);
