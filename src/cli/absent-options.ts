const noNetworks =
  'hako has no networks yet: a container has one of its own with nothing but loopback, or --network host';
const noVolumes = 'hako has no volumes with names: write -v /directory/of/the/host:/directory/inside';

/** Options that people know of Docker, which hako has nothing for. */
const reasons: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    [
      ...['p', 'publish', 'P', 'publish-all', 'expose', 'link', 'ip', 'ip6', 'mac-address', 'network-alias'],
      ...['dns', 'dns-option', 'dns-search', 'add-host'],
    ].map((name) => [name, noNetworks]),
  ),
  'volumes-from': noVolumes,
  'volume-driver': noVolumes,
  gpus: 'give the devices themselves: --device /dev/nvidia0',
  'cpu-rt-period': 'the kernel gives real-time budgets to its first groups only: use --cpus',
  'cpu-rt-runtime': 'the kernel gives real-time budgets to its first groups only: use --cpus',
  'memory-swappiness': 'it is for control groups v1 only: use --memory-swap',
  'oom-kill-disable': 'a container that is out of memory would hang: use --oom-score-adj',
};

/** What to say of an option that is not there. */
export function absenceOf(option: string, command: string): string {
  const reason = reasons[option];
  return reason === undefined ? `${command} --help lists those that there are` : reason;
}
