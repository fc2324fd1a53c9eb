import { chownSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { overwriteFile } from '../../base/overwrite-file.ts';
import type { IsolationPlan } from '../../contracts/privilege-mode.ts';
import type { SetupOperation } from '../../native/protocol.ts';
import { RDONLY } from './mount-options.ts';
import { bindOf } from './operations.ts';

/** In the container's own directory. */
export const etcFileNames = ['hostname', 'hosts', 'resolv.conf'] as const;

export interface EtcFilesRequest {
  /** The container's own directory on the host. */
  readonly directory: string;
  readonly hostname: string;
  readonly domainname: string;
  readonly plan: IsolationPlan;
}

/**
 * Writes the container's own /etc/hostname, /etc/hosts and /etc/resolv.conf into its directory. What a user changed
 * in a stopped container's is not kept: like Docker, each start writes them anew.
 *
 * Synchronous: three small files of hako's own take a tenth of the time that the trips to the thread pool would.
 */
export function writeEtcFiles({ directory, hostname, domainname, plan }: EtcFilesRequest): void {
  const shared = plan.namespaces.network === 'host';
  const contents = {
    hostname: `${hostname}\n`,
    hosts: shared ? hostsOwn('/etc/hosts', () => hosts(hostname, domainname)) : hosts(hostname, domainname),
    'resolv.conf': shared ? hostsOwn('/etc/resolv.conf', () => '') : '',
  };
  const [uid, gid] = [hostIdOfRoot(plan, 'uid'), hostIdOfRoot(plan, 'gid')];
  for (const name of etcFileNames) {
    const path = join(directory, name);
    overwriteFile(path, contents[name], 0o644);
    if (uid !== null && gid !== null && process.geteuid?.() === 0) chownSync(path, uid, gid);
  }
}

/** Binds of those files, for each that no mount of the caller's takes the place of; read-only as the root that they seem to be part of. */
export function etcOperations(
  directory: string,
  userTargets: ReadonlySet<string>,
  { idmappedRoot, readonlyRoot }: Pick<IsolationPlan, 'idmappedRoot' | 'readonlyRoot'>,
): readonly SetupOperation[] {
  const how = {
    set: readonlyRoot ? RDONLY : 0n,
    opened: idmappedRoot ? ('host' as const) : ('inside' as const),
    target: { create: 'file', noFollow: false } as const,
  };
  return etcFileNames.flatMap((name) =>
    userTargets.has(`/etc/${name}`) ? [] : [bindOf(join(directory, name), `/etc/${name}`, how)],
  );
}

const ipv6Hosts = 'fe00::\tip6-localnet\nff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n';

function hosts(hostname: string, domainname: string): string {
  const own = domainname === '' ? hostname : `${hostname}.${domainname} ${hostname}`;
  return `127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n${ipv6Hosts}127.0.1.1\t${own}\n`;
}

function hostsOwn(path: string, absent: () => string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return absent();
  }
}

function hostIdOfRoot(plan: IsolationPlan, kind: 'uid' | 'gid'): number | null {
  return plan.idMappings?.[kind].find(({ containerId }) => containerId === 0)?.hostId ?? null;
}
