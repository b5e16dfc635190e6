# SPDX-License-Identifier: Apache-2.0
# A blocked file of /sys by a second sysfs, mounted in a network namespace of the attacker's own.
#
# It is another file system, at another place, and shows the same kernel.
#
# ---
# tries: [own]
# breaks: {file: {matchPaths: [{path: /sys/kernel/uevent_seqnum}]}}
# wins: said
mkdir "$O/mnt"
unshare -mn sh -c 'mount -t sysfs none "$O/mnt" && grep -q . "$O/mnt/kernel/uevent_seqnum" && echo won'
