// Before anything that is injected: tsyringe looks for it when it is loaded.
import 'reflect-metadata';

export type { Branded } from './base/brand.ts';
export type { Digest } from './base/digest.ts';
export { type ErrorCode, type ErrorKind, HakoError, type HakoErrorDetails } from './base/errors.ts';
export type { ContainerId } from './base/ids.ts';
export { parseLogTime } from './base/log-time.ts';
export { type OperationContext, type OperationSubject, operationChannel } from './base/observation.ts';
export { type OperationName, operationNames } from './base/operation-names.ts';
export type {
  CpuUsage,
  IoFigures,
  IoUsage,
  MemoryUsage,
  PidsUsage,
  Pressure,
  PressureShare,
  ResourceOptions,
  ResourcePressure,
  ResourceUsage,
} from './cgroup/index.ts';
export type { Attachment, Exec, ExecAttachment, ProgramResult, TerminalSize } from './container/attachment.ts';
export {
  type AttachOptions,
  Container,
  type LogCounts,
  type LogsOptions,
  type RemoveOptions,
  type StartOptions,
  type StopOptions,
} from './container/container.ts';
export type { ContainerState, RunningState } from './container/container-state.ts';
export { Containers, type CreateOptions } from './container/containers.ts';
export {
  type DockerBlkioEntry,
  type DockerContainerStats,
  type DockerCpuStats,
  toDockerStats,
} from './container/docker-stats.ts';
export type { ContainerEvents } from './container/event-hub.ts';
export type { ExecInspection } from './container/execs/exec-inspection.ts';
export type { CommitOptions } from './container/files/commit.ts';
export type { CopyInOptions, CopyOutOptions, CopyOutToHostOptions } from './container/files/copy-options.ts';
export type { FileChange } from './container/files/diff.ts';
export type { ContainerArchive, CopySourceChoice } from './container/files/file-operations.ts';
export type { MemoryFile, MemoryFiles } from './container/files/memory-archive.ts';
export { type PathStat, pathStatHeader } from './container/files/path-stat.ts';
export type { ContainerHealth, HealthCheckResult, HealthStatus } from './container/health/health.ts';
export type { HealthCall } from './container/health/options.ts';
export type { HostFigures } from './container/host-figures.ts';
export type {
  ContainerInspection,
  ContainerIsolation,
  ContainerSummary,
} from './container/inspection.ts';
export type { PruneResult } from './container/listing/container-listing.ts';
export type { ContainerFilters, ListOptions, PruneFilters, PruneOptions } from './container/listing/list-options.ts';
export type { ContainerSettings, ExecOptions, ExecSettings } from './container/options.ts';
export { ContainerPool } from './container/pool/container-pool.ts';
export type { PoolOptions, PoolRunOptions } from './container/pool/pool-options.ts';
export type { ProcessPrivileges } from './container/process-privileges.ts';
export type { ResourceChanges, UpdateOptions } from './container/resources.ts';
export type { ContainerStats, StatsOptions, StatsReading } from './container/stats.ts';
export type { ContainerProcess } from './container/top/process-info.ts';
export type { ContainerProcesses, TopOptions } from './container/top/top.ts';
export type { WaitCondition, WaitOptions } from './container/waiter.ts';
export type {
  ContainerEvent,
  EventAction,
  ExitResult,
  HistoryEvent,
  RuntimeEvents,
} from './contracts/events.ts';
export type * from './contracts/host-info.ts';
export type * from './contracts/isolation.ts';
export type { LogEntry, LogQuery } from './contracts/log-driver.ts';
export type { OperationOptions } from './contracts/operation.ts';
export type {
  JsonValue,
  Plugin,
  PluginKind,
  PluginReference,
  ProbeResult,
} from './contracts/plugin-definition.ts';
export type { IsolationPlan, RequestedDevice, SeccompProfileText } from './contracts/privilege-mode.ts';
export { type CloseOnExitOptions, closeOnExit } from './core/close-on-exit.ts';
export type { EventFilters, EventsOptions } from './core/events/event-query.ts';
export { Images } from './core/images.ts';
export type { QuarantinedRecord, RuntimeInfo } from './core/info.ts';
export type { CloseOptions, RuntimeOptions } from './core/options.ts';
export { type ImageChoice, type RunOptions, Runtime } from './core/runtime.ts';
export { defaultHidden, type HostImageOptions } from './image/host/host-image.ts';
export { Image, type ImageLayer } from './image/image.ts';
export type { ImportOptions } from './image/image-importer.ts';
export type { ImportProgress } from './image/image-ingest.ts';
export type { ByteSource, ImageSource } from './image/import-source.ts';
export type { LayerLimits } from './image/unpack-service.ts';
export { entryPrinter } from './log/print-entries.ts';
export { reassembleLines } from './log/reassemble.ts';
export type {
  ContainerDefaults,
  Healthcheck,
  HistoryEntry,
  IgnoredField,
  ImageConfig,
} from './oci/image-config.ts';
export type { Platform } from './oci/platform.ts';
export type { PluginInfo } from './plugins/registry.ts';
