import { existsSync } from 'node:fs';
import { vfs } from 'libhako/plugins/storage/vfs';
import { locateNative } from '../../src/native/loader.ts';
import { storageDriverConformance } from '../../src/plugin-conformance.ts';
import { openServices } from '../support/image-runtime.ts';

// With the real worker where it is built: for this driver, copying trees is most of the work.
const native =
  process.getuid?.() === 0 && existsSync(locateNative().worker) ? (await openServices()).services : undefined;

storageDriverConformance({ create: (context) => vfs.create(context, {}), ...(native === undefined ? {} : { native }) });
