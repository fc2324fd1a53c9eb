/** What is asked inside, by nothing but busybox: each line of the answer is one thing that a program can see. */
export const viewScript = `
b=/bin/busybox
each() { $b sed "s|^|$1: |"; }
$b id | each id
$b grep -E '^(Cap|NoNewPrivs|Seccomp:|Umask|SigIgn|SigBlk)' /proc/self/status | $b tr '\\t' ' ' | each status
$b env | $b grep -vE '^(SHLVL|_|PWD|OLDPWD)=' | $b sort | each env
$b pwd | each cwd
$b stat -c '%a %u:%g' . | each 'cwd mode'
$b hostname | each hostname
$b cat /proc/sys/kernel/domainname | each domainname
$b cat /etc/hostname | each /etc/hostname
$b grep -v '^#' /etc/hosts | $b tr '\\t' ' ' | $b sort -u | each /etc/hosts
$b tail -n +2 /proc/self/limits | $b sed -E 's/ {2,}/ | /g' | each limit
for d in /dev/* /dev/pts/ptmx; do
  if [ -L "$d" ]; then echo "dev: $d -> $($b readlink "$d")"
  elif [ -d "$d" ]; then echo "dev: $d/"
  else $b stat -c 'dev: %n %a %u:%g %F %t:%T' "$d"; fi
done
while read -r id parent device root target options rest; do
  case $rest in *' - '*) optional=\${rest%% - *}; tail=\${rest#* - };; *) optional=; tail=\${rest#- };; esac
  set -- $tail
  echo "mount: $target $1 $options \${optional%%:*}"
  case $1 in tmpfs|devpts|mqueue|proc|sysfs) echo "mount options: $target $3";; esac
done </proc/self/mountinfo
for n in mnt pid net ipc uts user cgroup time; do echo "namespace $n: $($b readlink /proc/self/ns/$n)"; done
$b cat /proc/self/oom_score_adj | each oom_score_adj
$b cat /proc/1/comm | each 'pid 1'
set -- /proc/[0-9]*
[ $# -lt 20 ] && echo "processes: $#" || echo 'processes: many'
for p in /proc/kcore /proc/keys /proc/timer_list /proc/interrupts /proc/sysrq-trigger /proc/acpi /proc/scsi /sys/firmware /sys/devices/virtual/powercap /proc/latency_stats; do
  if [ -d $p ]; then echo "masked? $p: $($b ls $p 2>&1 | $b wc -l) entries"
  elif [ -e $p ]; then echo "masked? $p: $($b head -c 1 $p 2>/dev/null | $b wc -c) bytes"
  else echo "masked? $p: absent"; fi
done
for p in / /proc/sys/kernel/domainname /proc/sysrq-trigger /proc/irq /sys/fs/cgroup /sys/kernel /data /run /tmp /scratch /made /dev/shm /dev; do
  if [ -e $p ]; then if [ -w $p ]; then echo "writable: $p"; else echo "not writable: $p"; fi; fi
done
$b touch /tmp/probe-chmod 2>/dev/null && { $b chmod 700 /tmp/probe-chmod 2>/dev/null && echo 'chmod: yes' || echo 'chmod: no'; }
$b unshare -m $b true 2>/dev/null && echo 'unshare mnt: yes' || echo 'unshare mnt: no'
$b mknod /tmp/probe-node c 1 3 2>/dev/null && echo 'mknod: yes' || echo 'mknod: no'
for n in fuse:10:229 kmsg:1:11 mem:1:1; do
  IFS=: read -r name major minor <<X
$n
X
  $b rm -f /tmp/n; $b mknod /tmp/n c $major $minor 2>/dev/null && { (: </tmp/n) 2>/dev/null && echo "device $name: opens" || echo "device $name: does not open"; }
done
[ -t 1 ] && echo "tty: $($b tty)"
for f in memory/memory.limit_in_bytes memory/memory.memsw.limit_in_bytes memory/memory.soft_limit_in_bytes cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us cpu/cpu.shares cpuset/cpuset.cpus pids/pids.max; do
  [ -r /sys/fs/cgroup/$f ] && echo "cgroup $f: $($b cat /sys/fs/cgroup/$f)"
done
$b sed -E 's/^[0-9]+://' /proc/self/cgroup | $b sort | each cgroup
for s in net/ipv4/ip_unprivileged_port_start kernel/shmmax kernel/msgmax; do echo "sysctl $s: $($b cat /proc/sys/$s)"; done
$b ls /sys/class/net 2>/dev/null | each interface
$b nproc | each nproc
`;

/**
 * The same for two containers that differ in nothing but their ID.
 *
 * @param namespaces - the host's links in /proc/self/ns, by name
 */
export function normalize(output: string, id: string, namespaces: Readonly<Record<string, string>>): readonly string[] {
  return output
    .replaceAll('\r', '')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const namespace = /^namespace (\w+): (.*)$/.exec(line);
      if (namespace?.[1] !== undefined)
        return `namespace ${namespace[1]}: ${namespace[2] === namespaces[namespace[1]] ? "the host's" : 'its own'}`;
      return line.replaceAll(id, '<id>').replaceAll(id.slice(0, 12), '<id>');
    })
    .sort();
}
