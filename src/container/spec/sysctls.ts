import { HakoError } from '../../base/errors.ts';
import type { IsolationPlan } from '../../contracts/privilege-mode.ts';
import type { SetupOperation } from '../../native/protocol.ts';

/** Sysctls of the IPC namespace (ipc_namespaces(7)). */
const ipc = new Set([
  'kernel.msgmax',
  'kernel.msgmnb',
  'kernel.msgmni',
  'kernel.sem',
  'kernel.shmall',
  'kernel.shmmax',
  'kernel.shmmni',
  'kernel.shm_rmid_forced',
]);

/** Any user of the container may serve port 80, and ping: there is nobody in its network whom that could harm. Docker does so too. */
function networkDefaults({
  namespaces,
  idMappings,
}: Pick<IsolationPlan, 'namespaces' | 'idMappings'>): Readonly<Record<string, string>> {
  if (namespaces.network !== 'private') return {};
  return {
    'net.ipv4.ip_unprivileged_port_start': '0',
    // The kernel takes only groups that the user namespace has.
    ...(idMappings === null && namespaces.user === 'host' ? { 'net.ipv4.ping_group_range': '0 2147483647' } : {}),
  };
}

/**
 * Only those that belong to a namespace of the container's own: any other would change the whole machine.
 *
 * @throws HakoError `HAKO_ERR_INVALID_OPTION`
 */
export function sysctlOperations(
  sysctls: Readonly<Record<string, string>>,
  plan: Pick<IsolationPlan, 'namespaces' | 'idMappings'>,
): readonly SetupOperation[] {
  return Object.entries({ ...networkDefaults(plan), ...sysctls }).map(([name, value]) => {
    const reason = refusal(name, plan.namespaces);
    if (reason !== null)
      throw new HakoError(
        'INVALID_OPTION',
        `The sysctl '${name.slice(0, 100)}' cannot be set for a container: ${reason}.`,
      );
    return { kind: 'sysctl', name, value };
  });
}

function refusal(name: string, namespaces: IsolationPlan['namespaces']): string | null {
  // With a slash anywhere a dot is part of a name, such as net/ipv4/conf/eth0.1/forwarding (sysctl(8)).
  const parts = name.split(name.includes('/') ? '/' : '.');
  if (parts.length < 2 || parts.some((part) => !/^[A-Za-z0-9_.:@-]+$/.test(part) || part === '.' || part === '..'))
    return "write its name as sysctl -a shows it, such as 'net.ipv4.ip_forward'";
  if (parts[0] === 'net')
    return namespaces.network === 'host' ? 'it would change the host, whose network the container shares' : null;
  if (ipc.has(parts.join('.')) || (parts[0] === 'fs' && parts[1] === 'mqueue')) {
    return namespaces.ipc === 'host' ? 'it would change the host, whose IPC namespace the container shares' : null;
  }
  if (name === 'kernel.hostname' || name === 'kernel.domainname')
    return `use the option ${name.slice('kernel.'.length)}`;
  return 'it is not of a namespace and would change the whole machine (only net.*, fs.mqueue.* and those of System V IPC can be set)';
}
