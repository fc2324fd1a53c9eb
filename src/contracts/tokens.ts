/**
 * The names under which services ask for what they need. They are plain symbols, so a service can name what it
 * takes without knowing the injector.
 */
export const NativeBindingToken = Symbol('NativeBinding');
export const NativeServicesToken = Symbol('NativeServices');
export const HostInfoToken = Symbol('HostInfo');
export const StorageDriverToken = Symbol('StorageDriver');
export const PrivilegeModesToken = Symbol('PrivilegeModes');
export const LogDriversToken = Symbol('LogDrivers');
export const RuntimePathsToken = Symbol('RuntimePaths');
export const RuntimeDefaultsToken = Symbol('RuntimeDefaults');
export const EventBusToken = Symbol('EventBus');
export const EventRecorderToken = Symbol('EventRecorder');
export const ContainerRepositoryToken = Symbol('ContainerRepository');
export const HealthRepositoryToken = Symbol('HealthRepository');
export const IdRangeRepositoryToken = Symbol('IdRangeRepository');
export const ImageRepositoryToken = Symbol('ImageRepository');
export const LeaseRepositoryToken = Symbol('LeaseRepository');
export const TreeWorkerToken = Symbol('TreeWorker');
