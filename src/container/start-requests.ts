import type { HostInfo } from '../contracts/host-info.ts';
import type { Mount } from '../contracts/mount.ts';
import type { ActiveKey, StorageDriver } from '../contracts/storage-driver.ts';
import type { LogService } from '../log/log-service.ts';
import type { StartRequest } from '../native/protocol.ts';
import type { StartOptions } from './container.ts';
import type { HostMounts } from './host-mounts.ts';
import type { Isolation } from './isolation.ts';
import { loggedContainer } from './logged-container.ts';
import type { ContainerRecord } from './record.ts';
import { optionsOf } from './record-options.ts';
import { compileStart, hostnameOf, writeEtcFiles } from './spec/index.ts';
import type { StateReader } from './state-reader.ts';
import { volatileMounts } from './volatile-mounts.ts';

export interface StartRequestParts {
  readonly states: StateReader;
  readonly storage: StorageDriver;
  readonly logs: LogService;
  readonly host: HostInfo;
  readonly hostMounts: HostMounts;
}

/** Gathers what the start of a container needs: its root, its log, its files of /etc. */
export class StartRequests {
  readonly #parts: StartRequestParts;

  constructor(parts: StartRequestParts) {
    this.#parts = parts;
  }

  /** @param start - `wait`: up to the program */
  async make(
    record: ContainerRecord,
    isolation: Isolation,
    { attach, wait }: { readonly attach: StartOptions['attach']; readonly wait: boolean },
  ): Promise<StartRequest> {
    const { logs, states, host } = this.#parts;
    const options = optionsOf(record);
    const directory = states.directory(record.id);
    const hostname = hostnameOf(record.id, options);
    const { plan, cgroup, seccomp, idEmulation } = isolation;
    writeEtcFiles({ directory, hostname, domainname: options.domainname ?? '', plan });
    const [rootMounts, sink] = await Promise.all([
      this.#rootMounts(record),
      logs.open(loggedContainer(record, directory)),
    ]);
    return compileStart({
      id: record.id,
      name: record.name,
      directory,
      options,
      image: record.imageDefaults,
      plan,
      host,
      hostname,
      seccomp,
      idEmulation,
      rootMounts,
      cgroup,
      sink,
      attach: {
        stdin: attach?.stdin ?? false,
        stdout: attach !== undefined && attach.stdout !== false,
        stderr: attach !== undefined && attach.stderr !== false,
      },
      // An ephemeral container's record does not outlive it: nothing to keep over a power cut.
      durable: !options.ephemeral,
      wait,
    });
  }

  async #rootMounts(record: ContainerRecord): Promise<readonly Mount[]> {
    const { storage, hostMounts } = this.#parts;
    const { hostMount, ephemeral } = optionsOf(record);
    const key = record.id as string as ActiveKey;
    const mounts = await storage.mounts(key);
    if (hostMount) return hostMounts.mount(key, mounts);
    return ephemeral ? volatileMounts(mounts, record.state.status !== 'created') : mounts;
  }
}
