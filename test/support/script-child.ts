/** Opens a runtime on a root and runs a function with it, given as text; stays until it is killed when told to. */
import { Runtime } from 'libhako';

const [root = '', text = '', stay = ''] = process.argv.slice(2);
const { default: work } = (await import(
  `data:text/javascript,${encodeURIComponent(`export default async (runtime) => { ${text} }`)}`
)) as { default: (runtime: Runtime) => Promise<unknown> };
const runtime = await Runtime.open({ root });
process.stdout.write(`${JSON.stringify((await work(runtime)) ?? null)}\n`);
if (stay === 'stay') setInterval(() => {}, 1_000);
else await runtime.close();
