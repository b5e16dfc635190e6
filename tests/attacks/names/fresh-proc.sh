# SPDX-License-Identifier: Apache-2.0
# A blocked file of /proc by a second /proc, mounted in a process namespace of the attacker's own.
#
# It is another file system, at another place, and shows the same kernel.
#
# ---
# tries: [own]
# source: CVE-2023-28642 (runc, masked paths of /proc)
# breaks: {file: {matchPaths: [{path: /proc/version}]}}
# wins: said
mkdir "$O/mnt"
unshare -mpf sh -c 'mount -t proc none "$O/mnt" && grep -q Linux "$O/mnt/version" && echo won'
