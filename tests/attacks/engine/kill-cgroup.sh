# SPDX-License-Identifier: Apache-2.0
# Hauberk's process moved into a cgroup of the attacker's, and all in there killed.
#
# cgroup.kill is a file. The signal is the kernel's own, and no hook asks whose process it is.
#
# ---
# tries: [E1, own]
# source: https://docs.kernel.org/admin-guide/cgroup-v2.html (cgroup.kill)
# wins: dead
group=/sys/fs/cgroup/attack.$$
mkdir "$group"
echo "$AGENT" > "$group/cgroup.procs" && echo 1 > "$group/cgroup.kill"
