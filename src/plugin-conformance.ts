export { contextOn, type TestContext, testContext } from './plugins/conformance/context.ts';
export { runMounted } from './plugins/conformance/mounted.ts';
export { storageDriverConformance, type StorageDriverSubject } from './plugins/conformance/storage-driver.ts';
