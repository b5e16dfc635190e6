# SPDX-License-Identifier: Apache-2.0
# A program of the attacker's by the very path of one that may run, on a file system mounted over it.
#
# The path is on the list. What is found there is up to whoever mounts, or to the server behind the mount.
#
# ---
# tries: [A5, A13]
# breaks:
#   process:
#     matchPaths:
#     - {path: "{act}"}
#     - {path: "{v}/prog"}
#     - {path: /bin/sh}
#     - {path: /bin/cp}
#     - {path: /usr/bin/unshare}
#     - {path: /bin/mount}
#     action: Allow
# posture: block
# by: [DefaultPosture, ProtectedPath]
# wins: said
unshare -m sh -c 'mount -t tmpfs none "$V" && cp /bin/echo "$V/prog" && "$V/prog" won'
