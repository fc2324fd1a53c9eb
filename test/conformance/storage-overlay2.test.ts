import { overlay2 } from 'libhako/plugins/storage/overlay2';
import { storageDriverConformance } from '../../src/plugin-conformance.ts';

storageDriverConformance({ create: (context) => overlay2.create(context, {}) });
