import { normal } from 'libhako/plugins/privilege/normal';
import { privilegeModeConformance } from '../../src/plugin-conformance.ts';
import { createMode } from '../support/modes.ts';

privilegeModeConformance({ create: (context) => createMode(normal, context) });
