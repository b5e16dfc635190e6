#!/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0
# The guest's first process. It reaches the host's file system over 9p, lays a throwaway layer over it, and hands over
# to the agent (guest_agent.py). Any failure ends process 1, so the kernel panics and the host sees a lost machine with
# these lines as its last words.
set -e
bb=/bin/busybox

say() { echo "hauberk-lab: $*" > /dev/console; }

# usage: share TAG DIRECTORY OPTIONS
share() {
	$bb mkdir -p "$2"
	$bb mount -t 9p -o "trans=virtio,version=9p2000.L,msize=512000,$3" "$1" "$2"
}

# A file system that some kernels lack is not worth failing for.
optional() { $bb mkdir -p "$3" && $bb mount -t "$1" "$2" "$3" || say "no $1"; }

$bb mount -t devtmpfs dev /dev
$bb mount -t proc proc /proc
$bb mount -t sysfs sys /sys
say alive

. /lab/settings.sh
if [ -n "$PROBE" ]; then
	echo b > /proc/sysrq-trigger
	$bb sleep 60
fi

for module in /modules/*.ko; do
	$bb insmod "$module"
done

# The machine's own files do not change under a running guest as far as it is concerned, so everything read once may
# stay in the guest's cache.
share root /lower ro,cache=loose
$bb mount -t tmpfs -o mode=0755 layer /layer
$bb mkdir /layer/upper /layer/work
$bb mount -t overlay -o lowerdir=/lower,upperdir=/layer/upper,workdir=/layer/work overlay /root
say root

cd /root
$bb mkdir -p proc sys dev run tmp
$bb mount -t devtmpfs dev dev
$bb mkdir -p dev/pts dev/shm
$bb mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts dev/pts
$bb mount -t tmpfs -o nosuid,nodev,mode=1777 shm dev/shm
for link in fd:/proc/self/fd stdin:/proc/self/fd/0 stdout:/proc/self/fd/1 stderr:/proc/self/fd/2; do
	$bb ln -sf "${link#*:}" "dev/${link%%:*}"
done
$bb mount -t proc -o nosuid,nodev,noexec proc proc
$bb mount -t sysfs -o nosuid,nodev,noexec sys sys
optional cgroup2 cgroup2 sys/fs/cgroup
optional bpf bpf sys/fs/bpf
optional securityfs securityfs sys/kernel/security
optional tracefs tracefs sys/kernel/tracing
optional debugfs debugfs sys/kernel/debug

# Modules first: the cache that they come from may be on what is covered next.
share modules lib/modules ro,cache=loose
# kmod would want its binary indices; busybox reads the text that is there.
$bb rm -f sbin/modprobe
$bb cp /bin/busybox sbin/modprobe
$bb mount -t tmpfs -o nosuid,nodev,mode=0755 run run
[ -n "$KEEP_TMP" ] || $bb mount -t tmpfs -o nosuid,nodev,mode=1777 tmp tmp
$bb mkdir -p run/lock run/hauberk-lab
$bb cp /lab/agent.py /lab/config.json run/hauberk-lab/
mount_writable

$bb ip link set lo up
echo hauberk-lab > /proc/sys/kernel/hostname
say handing over
exec $bb switch_root -c /dev/console /root "$PYTHON" -I -S -B /run/hauberk-lab/agent.py
