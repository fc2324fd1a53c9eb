import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Disposer } from '../base/dispose.ts';
import { HakoError } from '../base/errors.ts';
import type { HostInfo } from '../contracts/host-info.ts';
import type { NativeServices } from '../contracts/native-services.ts';
import {
  type Plugin,
  type PluginContext,
  type PluginContracts,
  type PluginKind,
  type PluginReference,
  type ProbeResult,
  pluginApi,
} from '../contracts/plugin-definition.ts';
import { parsePluginOptions } from './define-plugin.ts';

/** What the registry needs of the runtime to bring plugins to life. */
export interface PluginHost {
  readonly root: string;
  readonly host: HostInfo;
  readonly native: NativeServices;
  readonly signal: AbortSignal;
  warn(message: string, cause?: unknown): void;
}

/** What `runtime.info()` says of a plugin. @public */
export interface PluginInfo {
  readonly kind: PluginKind;
  readonly id: string;
  readonly probe: ProbeResult;
}

const idPattern = /^[a-z0-9][a-z0-9-]{0,63}$/;

/**
 * The plugins of one runtime. An instance is made once for each set of options, when it is first needed, and
 * closed in the reverse order of making.
 */
export class PluginRegistry implements AsyncDisposable {
  readonly #plugins = new Map<string, Plugin>();
  readonly #instances = new Map<string, Promise<PluginContracts[PluginKind]>>();
  readonly #closing = new Disposer();
  readonly #abort = new AbortController();
  readonly #pluginHost: PluginHost;

  constructor(pluginHost: PluginHost) {
    this.#pluginHost = pluginHost;
  }

  /** @throws HakoError `HAKO_ERR_PLUGIN_EXISTS`, `HAKO_ERR_PLUGIN_API_MISMATCH`, `HAKO_ERR_INVALID_OPTION` */
  register(plugin: Plugin): void {
    if (!(plugin.kind in pluginApi)) {
      throw new HakoError(
        'INVALID_OPTION',
        `A plugin of kind '${plugin.kind}' is not known (known: ${Object.keys(pluginApi).join(', ')}).`,
      );
    }
    if (plugin.api !== pluginApi[plugin.kind]) {
      throw new HakoError(
        'PLUGIN_API_MISMATCH',
        `The ${plugin.kind} plugin '${plugin.id}' has contract version ${plugin.api}; this hako has ${pluginApi[plugin.kind]}.`,
      );
    }
    if (!idPattern.test(plugin.id)) {
      throw new HakoError(
        'INVALID_OPTION',
        `'${plugin.id}' cannot be a plugin's id: use lower-case letters, digits and dashes.`,
      );
    }
    const key = `${plugin.kind}/${plugin.id}`;
    const known = this.#plugins.get(key);
    if (known !== undefined && known !== plugin) {
      throw new HakoError(
        'PLUGIN_EXISTS',
        `There is a ${plugin.kind} plugin '${plugin.id}' already. Give yours another id.`,
      );
    }
    this.#plugins.set(key, plugin);
  }

  /** @throws HakoError `HAKO_ERR_PLUGIN_NOT_FOUND`, listing those that there are. */
  find<K extends PluginKind>(kind: K, id: string): Plugin<K> {
    const plugin = this.#plugins.get(`${kind}/${id}`);
    if (plugin === undefined) {
      const known = [...this.#plugins.values()].filter((other) => other.kind === kind).map((other) => other.id);
      throw new HakoError(
        'PLUGIN_NOT_FOUND',
        `There is no ${kind} plugin '${id}' (there are: ${known.join(', ') || 'none'}). Pass it to Runtime.open({ plugins }) or register it.`,
      );
    }
    return plugin as unknown as Plugin<K>;
  }

  has(kind: PluginKind, id: string): boolean {
    return this.#plugins.has(`${kind}/${id}`);
  }

  list(): readonly PluginInfo[] {
    return [...this.#plugins.values()].map((plugin) => ({
      kind: plugin.kind,
      id: plugin.id,
      probe: this.#probe(plugin),
    }));
  }

  /**
   * Checks a reference before anything is made that depends on it.
   *
   * @throws HakoError `HAKO_ERR_PLUGIN_NOT_FOUND`, `HAKO_ERR_INVALID_OPTION`, `HAKO_ERR_PLUGIN_UNSUPPORTED`
   */
  check(kind: PluginKind, { driver, options }: Omit<PluginReference, 'kind'>): void {
    const plugin = this.find(kind, driver);
    parsePluginOptions(plugin, options);
    this.#requireSupport(plugin);
  }

  /** The first of the ids whose plugin can work here; the last one's reason when none can. */
  firstSupported<K extends PluginKind>(kind: K, ids: readonly string[]): string {
    const reasons: string[] = [];
    for (const id of ids) {
      const probe = this.#probe(this.find(kind, id));
      if (probe.supported) return id;
      reasons.push(`${id}: ${probe.reason}`);
    }
    throw new HakoError('HOST_UNSUPPORTED', `No ${kind} plugin can work on this host. ${reasons.join(' ')}`);
  }

  /**
   * The instance for a reference, made when it is first asked for.
   *
   * @throws HakoError `HAKO_ERR_PLUGIN_NOT_FOUND`, `HAKO_ERR_PLUGIN_UNSUPPORTED`, `HAKO_ERR_INVALID_OPTION`
   */
  instance<K extends PluginKind>(kind: K, reference: Omit<PluginReference<K>, 'kind'>): Promise<PluginContracts[K]> {
    const key = `${kind}/${reference.driver}/${JSON.stringify(reference.options)}`;
    let instance = this.#instances.get(key) as Promise<PluginContracts[K]> | undefined;
    if (instance === undefined) {
      instance = this.#create(kind, reference);
      this.#instances.set(key, instance);
      // A failure is not kept: what was missing may be there the next time.
      instance.catch(() => this.#instances.delete(key));
    }
    return instance;
  }

  async #create<K extends PluginKind>(
    kind: K,
    reference: Omit<PluginReference<K>, 'kind'>,
  ): Promise<PluginContracts[K]> {
    const plugin = this.find(kind, reference.driver);
    const options = parsePluginOptions(plugin, reference.options);
    this.#requireSupport(plugin);
    const driver = await plugin.create(this.#context(plugin), options);
    this.#closing.use(driver);
    return driver;
  }

  #requireSupport(plugin: Pick<Plugin, 'kind' | 'id' | 'probe'>): void {
    const probe = this.#probe(plugin);
    if (!probe.supported)
      throw new HakoError(
        'PLUGIN_UNSUPPORTED',
        `The ${plugin.kind} driver '${plugin.id}' cannot work on this host: ${probe.reason}`,
      );
  }

  #probe(plugin: Pick<Plugin, 'probe'>): ProbeResult {
    return plugin.probe?.(this.#pluginHost.host) ?? { supported: true };
  }

  #context(plugin: { readonly kind: PluginKind; readonly id: string }): PluginContext {
    // A storage driver's layers lie where users of Docker look for them; the others rarely keep anything.
    const directory = join(
      this.#pluginHost.root,
      plugin.kind === 'storage' ? plugin.id : join('plugins', plugin.kind, plugin.id),
    );
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const { host, native } = this.#pluginHost;
    return {
      directory,
      host,
      native,
      signal: AbortSignal.any([this.#pluginHost.signal, this.#abort.signal]),
      warn: (message, cause) => this.#pluginHost.warn(`${plugin.kind}/${plugin.id}: ${message}`, cause),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort();
    await this.#closing[Symbol.asyncDispose]();
  }
}
