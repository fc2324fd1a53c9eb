// Runs a stranger's program, as root: node dist/examples/privilege-mode/main.js <directory of a root filesystem>
import { Runtime } from 'libhako';
import { untrusted } from './untrusted.ts';

const [rootfs, root] = process.argv.slice(2);
if (rootfs === undefined) throw new Error('name the directory of a root filesystem');

await using runtime = await Runtime.open({ plugins: [untrusted], ...(root === undefined ? {} : { root }) });
const image = await runtime.images.import({ kind: 'rootfs', rootfs });
const { stdout } = await runtime.run({
  image,
  command: ['sh', '-c', 'id -u; grep CapEff /proc/self/status; touch /x 2>/dev/null || echo read-only'],
  mode: untrusted({ ids: 100 }),
  resources: { memory: '64m', pids: 32 },
});
console.log(stdout.toString().trim());
