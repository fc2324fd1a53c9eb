export { contextOn, type TestContext, testContext } from './plugins/conformance/context.ts';
export { runMounted } from './plugins/conformance/mounted.ts';
export { storageDriverConformance, type StorageDriverSubject } from './plugins/conformance/storage-driver.ts';
export { logDriverConformance, type LogDriverSubject } from './plugins/conformance/log-driver.ts';
export { type LogOutput, type SinkSurroundings, sinkOutput } from './plugins/conformance/sink-output.ts';
export { type PrivilegeModeSubject, privilegeModeConformance } from './plugins/conformance/privilege-mode.ts';
