import { readFileSync } from 'node:fs';

/** TCP_LISTEN of the kernel's tcp_states.h, as /proc/net/tcp writes it. */
const listening = '0A';

/** Whether something listens on a TCP port in the network namespace of a process (proc_pid_net(5)). */
export function isListening(pid: number, port: number): boolean {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0');
  return ['tcp', 'tcp6'].some((file) =>
    linesOf(`/proc/${pid}/net/${file}`).some((line) => {
      const [, local = '', , state] = line.trim().split(/\s+/);
      return state === listening && local.endsWith(`:${wanted}`);
    }),
  );
}

function linesOf(path: string): readonly string[] {
  try {
    return readFileSync(path, 'latin1').split('\n');
  } catch {
    // The process is gone, or the kernel has no IPv6.
    return [];
  }
}
