/** Prepares and mounts the host's root as whoever runs it, and says what a script sees there. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { overlay2 } from 'libhako/plugins/storage/overlay2';
import { HostRootStorage } from '../../src/image/host/host-root-storage.ts';
import { contextOn } from '../../src/plugins/conformance/context.ts';
import { runMounted } from '../../src/plugins/conformance/mounted.ts';

const [root = '', script = '', hide] = process.argv.slice(2);
const { mkdirSync } = await import('node:fs');
mkdirSync(join(root, 'overlay2'), { recursive: true });
writeFileSync(join(root, 'secret'), 'of hako');
const context = contextOn(join(root, 'overlay2'));
const storage = new HostRootStorage(await overlay2.create(context, {}), root, context.host);
const key = 'container' as never;
const ids = (hostId: number) => [{ containerId: 0, hostId, size: 1 }];
const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
const ownership =
  uid === 0
    ? ({ kind: 'same' } as const)
    : ({
        kind: 'single',
        idMappings: { uid: ids(uid), gid: ids(gid), method: { kind: 'direct', denySetgroups: true } },
      } as const);
const mounts = await storage.prepareHostRoot(
  ownership,
  key,
  hide === undefined ? {} : { hide: JSON.parse(hide) as string[] },
);
// As another process, which has only the files to go by.
const again = new HostRootStorage(await overlay2.create(context, {}), root, context.host);
if (JSON.stringify(await again.mounts(key)) !== JSON.stringify(mounts))
  throw new Error('the mounts are not found again as they were');
process.stdout.write(runMounted(mounts, script));
await storage.remove(key);
await storage[Symbol.asyncDispose]();
