import type { z } from 'zod';
import type { HostInfo } from './host-info.ts';
import type { LogDriver } from './log-driver.ts';
import type { NativeServices } from './native-services.ts';
import type { PrivilegeMode } from './privilege-mode.ts';
import type { StorageDriver } from './storage-driver.ts';

/** The kinds of plugin, and the contract that each one fulfils. @public */
export interface PluginContracts {
  readonly storage: StorageDriver;
  readonly privilege: PrivilegeMode;
  readonly log: LogDriver;
}

/** What a plugin can be. @public */
export type PluginKind = keyof PluginContracts;

/** The version of each contract, apart from the package's own. The registry refuses any other. @public */
export const pluginApi = { storage: 1, privilege: 1, log: 1 } as const satisfies Record<PluginKind, number>;

/** Whether a plugin can work on this host; the reason is shown to the user as it is. @public */
export type ProbeResult = { readonly supported: true } | { readonly supported: false; readonly reason: string };

/** JSON and nothing else: what is kept in a container's record. @public */
export type JsonValue = string | number | boolean | null | JsonValue[] | { [key: string]: JsonValue };

/** A plugin and its options, as data. @public */
export interface PluginReference<K extends PluginKind = PluginKind> {
  readonly kind: K;
  /** The plugin's id. */
  readonly driver: string;
  /** As they were given; the plugin checks them. */
  readonly options: Record<string, JsonValue>;
}

/** What a plugin is given to work with. @public */
export interface PluginContext {
  /** A directory of the plugin's own under the runtime's root: `<root>/<id>`. Made before `create` is called. */
  readonly directory: string;
  readonly host: HostInfo;
  readonly native: NativeServices;
  /** Aborted when the runtime closes. */
  readonly signal: AbortSignal;
  /** Tells the runtime's user of something that went wrong in the background (event `warning`). */
  warn(message: string, cause?: unknown): void;
}

/** A plugin's description, for {@link definePlugin}. @public */
export interface PluginSpec<K extends PluginKind, Options extends z.ZodObject> {
  readonly kind: K;
  /** As users know it: `overlay2`, `json-file`. Lower-case letters, digits, dashes. */
  readonly id: string;
  readonly api: (typeof pluginApi)[K];
  /**
   * The options, as an object schema of zod. It validates what users write and what is read back from a record;
   * an unknown key is an error that lists the known ones.
   */
  readonly options: Options;
  /** Free of side effects. Absent: supported everywhere. */
  probe?(host: HostInfo): ProbeResult;
  /** Makes what the plugin is; once for each set of options in a runtime, which disposes of it. */
  create(context: PluginContext, options: z.output<Options>): Promise<PluginContracts[K]>;
}

/**
 * A plugin, callable: `jsonFile({ 'max-size': '10m' })` gives a typed reference that is stored with the container.
 *
 * @public
 */
export interface Plugin<K extends PluginKind = PluginKind, Options extends z.ZodObject = z.ZodObject>
  extends PluginSpec<K, Options> {
  /** Names the plugin with its options, to be given to a runtime or a container. @throws HakoError `HAKO_ERR_INVALID_OPTION` */
  (options?: z.input<Options>): PluginReference<K>;
}
