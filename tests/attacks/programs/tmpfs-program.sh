# SPDX-License-Identifier: Apache-2.0
# A program copied to a file system in memory, mounted where no preset looks for it, where only some may run.
#
# Presets against fileless execution know /dev/shm, /run/shm and memfd by name (KubeArmor issue 1743).
#
# ---
# tries: [B3]
# breaks:
#   process:
#     matchPaths:
#     - {path: "{act}"}
#     - {path: /bin/sh}
#     - {path: /bin/cp}
#     - {path: /bin/mkdir}
#     - {path: /usr/bin/unshare}
#     - {path: /bin/mount}
#     action: Allow
# posture: block
# by: [DefaultPosture]
# wins: ran
mkdir "$O/mnt"
unshare -m sh -c 'mount -t tmpfs none "$O/mnt" && cp "$V/prog" "$O/mnt/sh" && "$O/mnt/sh"'
cp "$V/prog" /dev/shm/sh && /dev/shm/sh
