import { execFileSync } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Rootfs } from '../native/support/rootfs.ts';
import { IsolatedContainer, type Mode } from '../support/isolated-run.ts';
import { Probe, type ProbeReport, parseReport } from '../support/probe.ts';
import { describeWith } from '../support/requires.ts';
import { runRunc } from '../support/runc.ts';

interface Pair {
  readonly hako: ProbeReport;
  readonly runc: ProbeReport;
  readonly container: IsolatedContainer;
}

/** What the probe says under hako and under runc, for the same plan, on the same root. */
async function probeBoth(probe: Probe, mode: Mode): Promise<Pair> {
  using rootfs = new Rootfs();
  probe.install(rootfs);
  const env = ['PATH=/bin', 'NAME=value'];
  await using container = await IsolatedContainer.launch(rootfs, ['/probe', 'walk'], {
    mode,
    settings: { env, hostname: 'box' },
  });
  const { idMappings } = container.plan;
  const outcome = idMappings === null ? await container.end() : await ownedRun(rootfs, mode, env);
  if (outcome.exitCode !== 0) throw new Error(`hako: ${outcome.failure ?? outcome.stderr}`);
  const hard = container.host.openFilesLimit ?? 1_048_576;
  const { stdout } = await runRunc({
    rootfs: rootfs.path,
    args: ['/probe', 'walk'],
    plan: container.plan,
    hostname: 'box',
    env,
    nofile: { soft: 1024, hard },
  });
  return { hako: parseReport(outcome.stdout), runc: parseReport(stdout), container };
}

/** Files of a root that a user namespace is to own belong to its root, as its storage driver would have it. */
async function ownedRun(rootfs: Rootfs, mode: Mode, env: readonly string[]) {
  await using first = await IsolatedContainer.launch(rootfs, ['/bin/true'], { mode });
  const host = first.plan.idMappings?.uid[0]?.hostId ?? 0;
  execFileSync('chown', ['-R', `${host}:${host}`, rootfs.path]);
  await using container = await IsolatedContainer.launch(rootfs, ['/probe', 'walk'], {
    mode,
    settings: { env: [...env], hostname: 'box' },
  });
  return await container.end();
}

interface MountLine {
  readonly point: string;
  readonly type: string;
  readonly options: string;
}

function mounts(report: ProbeReport): readonly MountLine[] {
  return report.mountinfo.map((line) => {
    const [, , , , point = '', options = '', ...rest] = line.split(' ');
    // relatime is what the kernel says when nothing was said.
    return {
      point,
      type: rest[rest.indexOf('-') + 1] ?? '',
      options: options
        .split(',')
        .filter((option) => option !== 'relatime')
        .sort()
        .join(','),
    };
  });
}

/** The mount that is seen at each point: the last one. */
function seen(report: ProbeReport): ReadonlyMap<string, string> {
  return new Map(mounts(report).map(({ point, type, options }) => [point, `${type} ${options}`]));
}

/** Points at which the two differ, as `point: hako's / runc's`. */
function differences(one: ReadonlyMap<string, string>, other: ReadonlyMap<string, string>): readonly string[] {
  return [...new Set([...one.keys(), ...other.keys()])]
    .filter((key) => one.get(key) !== other.get(key))
    .map((key) => `${key}: ${one.get(key) ?? '-'} / ${other.get(key) ?? '-'}`)
    .sort();
}

function nodes(report: ProbeReport): ReadonlyMap<string, string> {
  return new Map(Object.entries(report.devices).map(([path, node]) => [path, JSON.stringify(Object.values(node))]));
}

const hostNamespaces = () =>
  Object.fromEntries(
    ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'time', 'user', 'uts'].map((name) => [
      name,
      readlinkSync(`/proc/self/ns/${name}`),
    ]),
  );

/** Which namespaces are other ones than the host's. */
function own(report: ProbeReport): Record<string, boolean> {
  const host = hostNamespaces();
  return Object.fromEntries(Object.entries(report.namespaces).map(([name, inode]) => [name, inode !== host[name]]));
}

interface Expected {
  readonly devices: readonly string[];
  readonly mounts: readonly RegExp[];
}

/** runc leaves the link out where the kernel has no /proc/kcore; Docker's documentation has it always. */
const core = '/dev/core: ["link","/proc/kcore"] / -';
/** The queue filesystem is the IPC namespace's, which clone3 makes before anybody is root in the user namespace. */
const queueOwner = '/dev/mqueue: ["directory","1777",65534,65534] / ["directory","1777",0,65534]';

/** An empty directory over a masked one: hako's is hardened, runc's only read-only. */
const emptyDirectory = /^\/(proc|sys)\/\S+: tmpfs nodev,noexec,nosuid,ro \/ tmpfs ro$/;
/**
 * The null device over a masked file: hako's is the host's, with a mount that keeps its owner and mode from being
 * changed; runc's is the one of the container's /dev, which in a user namespace is the host's, and can be.
 */
const nullFile = /^\/proc\/\S+: devtmpfs noexec,nosuid,ro \/ (tmpfs nosuid,rw|devtmpfs rw)$/;
/** A device of the host's that is bound: the same. */
const boundDevice = /^\/dev\/(null|zero|full|random|urandom|tty): devtmpfs noexec,nosuid,ro \/ devtmpfs rw$/;
/** The directory of the v1 hierarchies: runc leaves it writable inside. */
const legacyRoot = /^\/sys\/fs\/cgroup: tmpfs nodev,noexec,nosuid,ro \/ tmpfs nodev,noexec,nosuid,rw$/;
/** hako shows the hierarchies that the container is in, runc all there are. */
const shownHierarchies = /^\/sys\/fs\/cgroup\/(?!pids|devices|memory|cpuacct)/;
/** hako binds these itself; under Docker the engine above runc does. */
const etcFiles = /^\/etc\/(hostname|hosts|resolv\.conf)/;

describeWith({ root: true, tools: ['runc', 'cc'] }, 'isolation, as a program sees it, beside what runc gives', () => {
  let probe: Probe;
  beforeAll(() => {
    probe = new Probe();
  });
  afterAll(() => probe[Symbol.dispose]());

  test.each<[Mode, Expected]>([
    ['normal', { devices: [core], mounts: [emptyDirectory, nullFile, legacyRoot] }],
    ['privileged', { devices: [core], mounts: [] }],
    ['rootless', { devices: [core, queueOwner], mounts: [emptyDirectory, nullFile, boundDevice, legacyRoot] }],
  ])('%s', async (mode, expected) => {
    const { hako, runc } = await probeBoth(probe, mode);
    expect(own(hako)).toEqual(own(runc));
    expect(hako.status).toEqual(runc.status);
    expect(hako.limits).toEqual(runc.limits);
    expect(differences(nodes(hako), nodes(runc))).toEqual(expected.devices);
    expect({
      uid: hako.uid,
      gid: hako.gid,
      groups: hako.groups,
      hostname: hako.hostname,
      cwd: hako.cwd,
      pid: hako.pid,
      oomScoreAdj: hako.oomScoreAdj,
      uidMap: hako.uidMap,
      gidMap: hako.gidMap,
    }).toEqual({
      uid: runc.uid,
      gid: runc.gid,
      groups: runc.groups,
      hostname: runc.hostname,
      cwd: runc.cwd,
      pid: runc.pid,
      oomScoreAdj: runc.oomScoreAdj,
      uidMap: runc.uidMap,
      gidMap: runc.gidMap,
    });
    expect(Object.keys(hako.descriptors)).toEqual(['0', '1', '2']);
    expect(hako.hidden).toEqual(runc.hidden);
    const unexpected = differences(seen(hako), seen(runc)).filter(
      (line) => ![shownHierarchies, etcFiles, ...expected.mounts].some((pattern) => pattern.test(line)),
    );
    expect(unexpected).toEqual([]);
    expect(hako.writable.filter((path) => !runc.writable.includes(path))).toEqual([]);
  });
});
