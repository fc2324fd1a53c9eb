import { privileged } from 'libhako/plugins/privilege/privileged';
import { privilegeModeConformance } from '../../src/plugin-conformance.ts';
import { createMode } from '../support/modes.ts';

privilegeModeConformance({ create: (context) => createMode(privileged, context) });
