# SPDX-License-Identifier: Apache-2.0
# The blocked file after a move into a cgroup of the attacker's own.
#
# Where a workload is known by its cgroup, who leaves the cgroup leaves the workload.
#
# ---
# tries: [C4]
# rule: secret
# wins: secret
group=/sys/fs/cgroup/attack.$$
mkdir "$group"
sh -c 'echo $$ > "$1/cgroup.procs" && grep -q attack /proc/self/cgroup && exec cat "$V/secret"' sh "$group"
rmdir "$group"
