import { mkdirSync, mkdtempSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Image, Runtime } from 'libhako';
import { DockerPeer } from '../../support/docker-peer.ts';
import { compare, type Difference } from './differences.ts';
import { knownDifferences } from './known-differences.ts';
import { type Setting, seccompProfile, settings } from './settings.ts';
import { normalize, viewScript } from './view.ts';

export interface Comparison {
  readonly setting: Setting;
  /** That the program saw under Docker. */
  readonly lines: number;
  readonly differences: readonly Difference[];
}

const passwd = 'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/home/app:/bin/sh\n';
const group = 'root:x:0:\nstaff:x:50:app\napp:x:1000:\nextra:x:60:app\n';
const env = ['PATH=/bin'];

/** Starts the same program from the same files with each setting, by dockerd and by hako, and compares what it saw. */
export async function* compareAll(): AsyncGenerator<Comparison> {
  const directory = mkdtempSync(join(tmpdir(), 'hako-settings-'));
  const files = { directory: join(directory, 'data'), seccomp: join(directory, 'seccomp.json') };
  mkdirSync(files.directory);
  writeFileSync(join(files.directory, 'file'), 'given\n');
  writeFileSync(files.seccomp, seccompProfile);
  try {
    await using docker = await DockerPeer.start({ view: Buffer.from(viewScript) }, (rootfs) => {
      writeFileSync(join(rootfs, 'etc/passwd'), passwd);
      writeFileSync(join(rootfs, 'etc/group'), group);
    });
    await using runtime = await Runtime.open({ root: join(directory, 'root') });
    const image = await runtime.images.import(docker.rootfs);
    const namespaces = hostNamespaces();
    for (const setting of settings(files)) {
      const [theirs, ours] = [await viewInDocker(docker, setting), await viewInHako(runtime, image, setting)];
      const lines = normalize(theirs.output, theirs.id, namespaces);
      const differences = compare(lines, normalize(ours.output, ours.id, namespaces), knownDifferences);
      yield { setting, lines: lines.length, differences };
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function hostNamespaces(): Readonly<Record<string, string>> {
  const names = ['mnt', 'pid', 'net', 'ipc', 'uts', 'user', 'cgroup', 'time'];
  return Object.fromEntries(names.map((name) => [name, readlinkSync(`/proc/self/ns/${name}`)]));
}

/** A program that is asked for by its entrypoint gets only arguments. */
function command({ options }: Setting): readonly string[] {
  return options.entrypoint === undefined ? ['/bin/sh', '/in/view'] : ['sh', '/in/view'];
}

interface View {
  readonly id: string;
  readonly output: string;
}

async function viewInDocker(docker: DockerPeer, setting: Setting): Promise<View> {
  const network = setting.flags.includes('--network') ? [] : ['--network', 'none'];
  const variables = env.flatMap((each) => ['--env', each]);
  const created = await docker.docker(
    'create',
    ...network,
    ...variables,
    ...setting.flags,
    docker.image,
    ...command(setting),
  );
  const id = created.trim();
  await docker.docker('start', id);
  await docker.docker('wait', id);
  const output = await docker.docker('logs', id);
  await docker.docker('rm', id);
  return { id, output };
}

async function viewInHako(runtime: Runtime, image: Image, setting: Setting): Promise<View> {
  const given = setting.options.env ?? {};
  await using container = await runtime.containers.create({
    image,
    ephemeral: true,
    command: [...command(setting)],
    ...setting.options,
    env: { PATH: '/bin', ...(given as Record<string, string>) },
  });
  const attached = await container.start({ attach: {} });
  const [output] = await Promise.all([attached.stdout.toArray(), attached.stderr.resume(), container.wait()]);
  return { id: container.id, output: Buffer.concat(output).toString() };
}
