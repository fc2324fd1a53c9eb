import { privileged } from 'libhako/plugins/privilege/privileged';
import { privilegeModeConformance } from '../../src/plugin-conformance.ts';

privilegeModeConformance({ create: (context) => privileged.create(context, {}) });
