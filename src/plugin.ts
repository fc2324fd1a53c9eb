export type { Branded } from './base/brand.ts';
export { allCapabilities, type CapabilityName, parseCapability } from './base/capabilities.ts';
export type { Digest } from './base/digest.ts';
export { type ErrorCode, type ErrorKind, HakoError, type HakoErrorDetails } from './base/errors.ts';
export type { ContainerId } from './base/ids.ts';
export { formatRfc3339, parseRfc3339 } from './base/rfc3339.ts';
export { parseSize, type SizeUnits } from './base/size.ts';
export type * from './contracts/host-info.ts';
export type * from './contracts/isolation.ts';
export type * from './contracts/log-driver.ts';
export type * from './contracts/mount.ts';
export type { NativeServices } from './contracts/native-services.ts';
export type * from './contracts/operation.ts';
export type * from './contracts/plugin-definition.ts';
export { pluginApi } from './contracts/plugin-definition.ts';
export type * from './contracts/privilege-mode.ts';
export type * from './contracts/storage-driver.ts';
export { compileRe2, type LogAttributeSelection, selectLogAttributes } from './log/attributes.ts';
export { FileWatch } from './log/file-watch.ts';
export { reassembleLines } from './log/reassemble.ts';
export { TagTemplate } from './log/tag-template.ts';
export { definePlugin } from './plugins/define-plugin.ts';
export {
  defaultCapabilities,
  defaultDeviceRules,
  defaultMaskedPaths,
  defaultReadonlyPaths,
} from './plugins/privilege-defaults.ts';
export {
  type ConfinedChoices,
  type Degradations,
  limitsAccess,
  planAppArmor,
  planCapabilities,
  planConfined,
  planDeviceRules,
  planNamespaces,
  planPaths,
  planSeccomp,
  requireHostRoot,
} from './plugins/privilege-planning.ts';
export type { SnapshotRecord } from './plugins/snapshots/record.ts';
export {
  type Discard,
  type Populate,
  type SnapshotDirectory,
  SnapshotStore,
} from './plugins/snapshots/snapshot-store.ts';
