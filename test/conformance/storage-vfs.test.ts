import { vfs } from 'libhako/plugins/storage/vfs';
import { storageDriverConformance } from '../../src/plugin-conformance.ts';

storageDriverConformance({ create: (context) => vfs.create(context, {}) });
