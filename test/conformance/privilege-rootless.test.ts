import { rootless } from 'libhako/plugins/privilege/rootless';
import { privilegeModeConformance } from '../../src/plugin-conformance.ts';

privilegeModeConformance({ create: (context) => rootless.create(context, {}) });
