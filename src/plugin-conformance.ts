export { contextOn, type TestContext, testContext } from './plugins/conformance/context.ts';
export { type LogDriverSubject, logDriverConformance, type ReceivedEntry } from './plugins/conformance/log-driver.ts';
export { runMounted } from './plugins/conformance/mounted.ts';
export { type PrivilegeModeSubject, privilegeModeConformance } from './plugins/conformance/privilege-mode.ts';
export { type LogOutput, type SinkSurroundings, sinkOutput } from './plugins/conformance/sink-output.ts';
export { type StorageDriverSubject, storageDriverConformance } from './plugins/conformance/storage-driver.ts';
