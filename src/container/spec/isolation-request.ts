import type { ContainerId } from '../../base/ids.ts';
import type { HostInfo } from '../../contracts/host-info.ts';
import type { IdRange, NamespaceChoice, NamespaceKind } from '../../contracts/isolation.ts';
import type { IsolationRequest, RequestedDevice } from '../../contracts/privilege-mode.ts';
import { listHostDevices, statDevice } from '../../host/devices.ts';
import type { ParsedContainerOptions } from '../options.ts';

/**
 * What a privilege mode plans from: the caller's options, with containers by ID and devices looked up.
 *
 * @param resolveContainer - finds a container by name or ID, or throws.
 * @param idRange - the ids that the container has for itself
 * @throws HakoError `HAKO_ERR_INVALID_OPTION` for a device that is not there.
 */
export async function isolationRequest(
  options: ParsedContainerOptions,
  host: HostInfo,
  resolveContainer: (nameOrId: string) => ContainerId,
  idRange: IdRange | null = null,
): Promise<IsolationRequest> {
  const devices = await Promise.all(
    options.devices.map(({ hostPath, path, access }) => statDevice(hostPath, path, access)),
  );
  return {
    host,
    namespaces: resolveNamespaces(options.namespaces, resolveContainer),
    capabilitiesAdd: options.capabilities.add,
    capabilitiesDrop: options.capabilities.drop,
    devices,
    deviceRules: options.deviceRules,
    get hostDevices(): readonly RequestedDevice[] {
      return listHostDevices();
    },
    noNewPrivileges: options.noNewPrivileges,
    seccomp: typeof options.seccomp === 'string' ? options.seccomp : { json: JSON.stringify(options.seccomp) },
    apparmorProfile: options.apparmor,
    maskedPaths: options.maskedPaths,
    readonlyPaths: options.readonlyPaths,
    readonlyRoot: options.readonlyRoot,
    idRange,
  };
}

function resolveNamespaces(
  choices: ParsedContainerOptions['namespaces'],
  resolveContainer: (nameOrId: string) => ContainerId,
): IsolationRequest['namespaces'] {
  const resolved: Partial<Record<NamespaceKind, NamespaceChoice>> = {};
  for (const [kind, choice] of Object.entries(choices) as [
    NamespaceKind,
    ParsedContainerOptions['namespaces'][NamespaceKind],
  ][]) {
    if (choice !== undefined)
      resolved[kind] = typeof choice === 'object' ? { container: resolveContainer(choice.container) } : choice;
  }
  return resolved;
}
