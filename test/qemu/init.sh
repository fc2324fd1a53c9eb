#!/bin/sh
# Process 1 of the virtual machine. The initramfs itself cannot be pivoted away from, so everything happens in a
# mount of it over itself, which can.
if [ "$1" != inside ]; then
  /bin/busybox mount -o rbind / /n
  cd /n || exit 1
  /bin/busybox mount --move . /
  exec /bin/busybox chroot . /init inside
fi
/bin/busybox --install -s /bin
export PATH=/bin:/usr/bin:/usr/sbin HAKO_NATIVE_DIR=/native HAKO_SUPERVISOR=/native/hako-supervisor HOME=/root
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts -o ptmxmode=666 devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t securityfs securityfs /sys/kernel/security
for module in /modules/*.ko; do insmod "$module"; done
[ -e /dev/loop0 ] && dd if=/dev/zero of=/tmp/disk bs=1M count=1 2>/dev/null && losetup /dev/loop0 /tmp/disk
mkdir /quota && losetup /dev/loop1 /quota.img && mount -t ext4 -o prjquota /dev/loop1 /quota
ip link set lo up
echo "MACHINE $(uname -r)"
cd / && node --no-warnings --test-reporter=tap /guest.mjs
dmesg | grep -i overlay
echo "MACHINE ends with $? after $(cut -d' ' -f1 /proc/uptime) seconds"
poweroff -f
