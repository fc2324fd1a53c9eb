import type { HostInfo } from '../contracts/host-info.ts';
import type { PluginInfo } from '../plugins/registry.ts';

/** What a runtime is and can do. @public */
export interface RuntimeInfo {
  /** Of libhako. */
  readonly version: string;
  readonly root: string;
  /** Where the addon, the supervisor and the worker were found. */
  readonly nativeDirectory: string;
  /** What the host can do, with a reason for each "no". */
  readonly host: HostInfo;
  readonly plugins: readonly PluginInfo[];
  /** What containers get that name nothing else. */
  readonly defaults: { readonly storage: string; readonly mode: string; readonly log: string };
  /** Records of the state store that could not be read, and were put aside. */
  readonly quarantined: readonly QuarantinedRecord[];
}

/** A record that could not be read. It is kept in the table `quarantine` of the state store, its files where they were. @public */
export interface QuarantinedRecord {
  readonly kind: 'container' | 'image';
  readonly id: string;
  /** What is wrong with it. */
  readonly reason: string;
  /** When it was put aside. */
  readonly foundAt: Date;
}
