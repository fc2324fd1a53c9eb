import { rootless } from 'libhako/plugins/privilege/rootless';
import { privilegeModeConformance } from '../../src/plugin-conformance.ts';
import { createMode } from '../support/modes.ts';

privilegeModeConformance({ create: (context) => createMode(rootless, context) });
