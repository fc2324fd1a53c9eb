import type { CgroupHost } from '../contracts/host-info.ts';
import type { Degradation, DeviceRule } from '../contracts/isolation.ts';
import type { CgroupStep } from '../native/protocol.ts';
import { compileDeviceProgram } from './device-bpf.ts';
import { compileDeviceList } from './device-list.ts';
import { type Limits, limitWrites } from './limits.ts';
import type { Resources } from './resources.ts';

/** A container's group in one hierarchy. It is JSON: kept in the container's record, to be found again after a crash. */
export interface CgroupGroup {
  readonly version: 1 | 2;
  readonly directory: string;
  /** All of the hierarchy's: what is in the group is under each of them. */
  readonly controllers: readonly string[];
}

/** What is to be done for a container's control groups, as data. */
export interface CgroupPlan {
  /** Run in order by the supervisor. */
  readonly steps: readonly CgroupStep[];
  /** Where an OOM kill shows. null: it cannot be told from another SIGKILL. */
  readonly oom: { readonly file: string; readonly key: string } | null;
  /** Made for the container; an exec joins each of them. */
  readonly groups: readonly CgroupGroup[];
  readonly degraded: readonly Degradation[];
}

export interface CgroupRequest {
  /** The container's ID: the name of its group. */
  readonly id: string;
  readonly resources: Resources;
  /** Used when `resources` says nothing of pids; failing to give it is a degradation, not an error. */
  readonly defaultPids: number | null;
  /** null: not limited. */
  readonly deviceRules: readonly DeviceRule[] | null;
}

/**
 * Controllers that every container is put into, limits or not. pids and devices carry defaults of the security
 * model. memory and cpuacct are joined so that usage can be read of every container, and so that an OOM kill in a
 * group above is told as one; on v1 they cost 0.08 and 0.02 ms a start of about 3 (measured on kernel 6.18: mkdir and
 * join of pids and devices 109 µs, with memory 187, with cpuacct 131). The v1 freezer (0.03 ms) is joined when a
 * container is first paused, and cpu, cpuset and blkio when they are given something to limit.
 */
const alwaysJoined = ['pids', 'devices', 'memory', 'cpuacct'];

/**
 * Plans the groups of one container. Pure.
 *
 * @throws HakoError `HAKO_ERR_HOST_UNSUPPORTED` when a limit was asked for that this host cannot give.
 */
export function planCgroup(host: CgroupHost, request: CgroupRequest): CgroupPlan {
  const degraded: Degradation[] = [];
  const limits = limitWrites(host, withDefaultPids(host, request, degraded));
  const joined = new Set(alwaysJoined.filter((controller) => host.controllers[controller] !== undefined));
  for (const { controller } of limits) joined.add(controller);
  if (request.deviceRules !== null && host.controllers['devices'] === undefined) {
    degraded.push(lackingController(host, 'device rules', 'devices'));
  }
  const groups = groupsOf(host, joined, request.id);
  return {
    steps: groups.flatMap((group) => stepsOf(host, group, limits, request.deviceRules)),
    oom: oomFile(groups),
    groups,
    degraded,
  };
}

/** One group for each hierarchy that holds a joined controller; on v2 always, for freezing and killing. */
function groupsOf(host: CgroupHost, joined: ReadonlySet<string>, id: string): readonly CgroupGroup[] {
  const parents = new Set<string>();
  if (host.layout === 'v2' && host.unifiedParent !== null) parents.add(host.unifiedParent);
  for (const controller of joined) {
    const parent = host.controllers[controller];
    if (parent !== undefined) parents.add(parent);
  }
  return [...parents].map((parent) => ({
    version: parent === host.unifiedParent ? 2 : 1,
    directory: `${parent}/${id}`,
    controllers: Object.keys(host.controllers).filter((controller) => host.controllers[controller] === parent),
  }));
}

function stepsOf(
  host: CgroupHost,
  group: CgroupGroup,
  limits: Limits,
  deviceRules: readonly DeviceRule[] | null,
): readonly CgroupStep[] {
  const { directory } = group;
  const steps: CgroupStep[] = [{ kind: 'mkdir', path: directory }];
  const parent = directory.slice(0, directory.lastIndexOf('/'));
  for (const limit of limits) {
    if (host.controllers[limit.controller] === parent)
      steps.push({ kind: 'write', path: `${directory}/${limit.file}`, value: limit.value });
  }
  if (deviceRules !== null && group.controllers.includes('devices')) {
    if (group.version === 2) steps.push({ kind: 'devices', directory, program: deviceProgram(deviceRules) });
    else
      for (const { file, value } of deviceList(deviceRules))
        steps.push({ kind: 'write', path: `${directory}/${file}`, value });
  }
  steps.push({ kind: group.version === 2 ? 'into' : 'join', directory });
  return steps;
}

/** Most containers have one and the same list of rules, the default of their mode. */
const deviceProgram = rememberBy(compileDeviceProgram);
const deviceList = rememberBy(compileDeviceList);

function rememberBy<Key extends object, Value>(compute: (key: Key) => Value): (key: Key) => Value {
  const known = new WeakMap<Key, Value>();
  return (key) => {
    let value = known.get(key);
    if (value === undefined) {
      value = compute(key);
      known.set(key, value);
    }
    return value;
  };
}

function withDefaultPids(host: CgroupHost, request: CgroupRequest, degraded: Degradation[]): Resources {
  if (request.resources.pids !== undefined || request.defaultPids === null) return request.resources;
  if (host.controllers['pids'] !== undefined) return { ...request.resources, pids: request.defaultPids };
  degraded.push(lackingController(host, 'pids limit', 'pids'));
  return request.resources;
}

/** A default that goes without the controller which would keep it. */
export function lackingController(host: CgroupHost, what: string, controller: string): Degradation {
  return {
    what,
    why: host.missing[controller] ?? `there is no ${controller} controller`,
    remedy: `let this process use the controller ${controller}: as root it has to be mounted, as an ordinary user delegated (systemd: Delegate=yes)`,
  };
}

/** cgroup-v2.rst, "memory.events"; cgroup-v1/memory.rst has the same count in memory.oom_control. */
function oomFile(groups: readonly CgroupGroup[]): CgroupPlan['oom'] {
  const group = groups.find(({ controllers }) => controllers.includes('memory'));
  if (group === undefined) return null;
  return {
    file: `${group.directory}/${group.version === 2 ? 'memory.events' : 'memory.oom_control'}`,
    key: 'oom_kill',
  };
}
