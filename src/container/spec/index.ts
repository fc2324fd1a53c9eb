/** From what a container is to be (options, image, isolation plan, mounts, control groups) to what its supervisor does. */
export { etcFileNames, writeEtcFiles } from './etc-files.ts';
export { compileExec, type ExecContext } from './exec.ts';
export { isolationRequest } from './isolation-request.ts';
export { parseMountOptions } from './mount-options.ts';
export { type JoinedNamespace, joinedNamespaces } from './namespaces.ts';
export {
  commandOf,
  containerEnv,
  execCapabilities,
  mergeEnv,
  type ProcessContext,
  programOf,
  type SeccompProgram,
} from './process.ts';
export { shiftedDirectory } from './root.ts';
export { compileStart, hostnameOf, type StartContext } from './start.ts';
export { checkImageVolumes } from './user-mounts.ts';
