# SPDX-License-Identifier: Apache-2.0
# Hauberk's process moved into a cgroup of the attacker's, and frozen there.
#
# A frozen process runs no instruction, and shows no sign of it but in its cgroup.
#
# ---
# tries: [E1]
# wins: said
group=/sys/fs/cgroup/attack.$$
mkdir "$group"
echo "$AGENT" > "$group/cgroup.procs" && echo 1 > "$group/cgroup.freeze"
sleep 0.3
grep -q 'frozen 1' "$group/cgroup.events" && grep -q "^$AGENT$" "$group/cgroup.procs" && echo won
echo 0 > "$group/cgroup.freeze"
echo "$AGENT" > /sys/fs/cgroup/cgroup.procs
