/**
 * The first thing to run in a clone: a real program in a real container, as root or as an ordinary user.
 */
import { Image, Runtime } from 'libhako';

await using runtime = await Runtime.open();

const { host, defaults } = await runtime.info();
const result = await runtime.run({
  image: Image.fromHost(),
  hostname: 'box',
  command: [
    'sh',
    '-c',
    'echo "Hello from $(uname -n): I am process $$, uid $(id -u), and see $(ls -d /proc/[0-9]* | wc -l) processes."',
  ],
});

process.stdout.write(result.stdout);
process.stderr.write(result.stderr);
console.log(
  `(mode ${defaults.mode}, storage ${defaults.storage}, cgroups ${host.cgroup.layout}, kernel ${host.kernel})`,
);
process.exitCode = result.exitCode;
