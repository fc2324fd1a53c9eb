import { normal } from 'libhako/plugins/privilege/normal';
import { privilegeModeConformance } from '../../src/plugin-conformance.ts';

privilegeModeConformance({ create: (context) => normal.create(context, {}) });
