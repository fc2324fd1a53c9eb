import type { ContainerId } from '../../src/base/ids.ts';
import { planCgroup } from '../../src/cgroup/index.ts';
import { type ContainerSettings, parseContainerOptions } from '../../src/container/options.ts';
import { compileStart, hostnameOf, isolationRequest, type StartContext } from '../../src/container/spec/index.ts';
import type { HostInfo } from '../../src/contracts/host-info.ts';
import type { SetupOperation, StartRequest } from '../../src/native/protocol.ts';
import type { ContainerDefaults } from '../../src/oci/image-config.ts';
import { contextOn } from '../../src/plugins/conformance/context.ts';
import { testHost } from '../../src/plugins/conformance/privilege-hosts.ts';
import { createMode, type ModePlugin, modes } from './modes.ts';

export const id = 'a'.repeat(64) as ContainerId;

/** An image that says next to nothing. */
export const scratch: ContainerDefaults = {
  env: [],
  entrypoint: [],
  cmd: ['/x'],
  user: '',
  workingDir: '',
  labels: {},
  exposedPorts: [],
  volumes: [],
};
const overlay = {
  type: 'overlay',
  source: 'overlay',
  options: ['lowerdir=/l/one:/l/two\\:x', 'upperdir=/u', 'workdir=/w', 'userxattr', 'ro'],
};

/** All that a start is compiled from, for a caller who gave these options on a host that can do everything. */
export async function context(
  settings: ContainerSettings = {},
  image: Partial<ContainerDefaults> = {},
  plugin: ModePlugin = modes.normal,
  host: HostInfo = testHost(),
): Promise<StartContext> {
  const options = parseContainerOptions(settings);
  const mode = await createMode(plugin, { ...contextOn('/nonexistent'), host });
  const plan = mode.plan(await isolationRequest(options, host, (name) => name as ContainerId));
  const cgroup = planCgroup(host.cgroup, { id, resources: {}, defaultPids: 4096, deviceRules: plan.deviceRules });
  return {
    id,
    name: 'web',
    directory: '/r/containers/c',
    options,
    image: { ...scratch, ...image },
    plan,
    host,
    hostname: hostnameOf(id, options),
    seccomp: null,
    idEmulation: null,
    rootMounts: [overlay],
    cgroup,
    sink: { kind: 'none' },
    attach: { stdin: false, stdout: true, stderr: true },
    durable: true,
    wait: false,
  };
}

export async function start(...args: Parameters<typeof context>): Promise<StartRequest> {
  return compileStart(await context(...args));
}

export const targets = (operations: readonly SetupOperation[]): string[] =>
  operations.flatMap((operation) => ('path' in operation ? [operation.path] : []));
export const at = (request: StartRequest, path: string): SetupOperation[] =>
  request.setup.filter((operation) => 'path' in operation && operation.path === path);
