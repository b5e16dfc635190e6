# SPDX-License-Identifier: Apache-2.0
# The file system of Hauberk's pins unmounted: with its last mount all pins are gone.
#
# In a container the mount is the container's own, and another one stays.
#
# ---
# tries: [D6]
# wins: said
# unshared: true
# places: [plain]
umount /sys/fs/bpf || umount -l /sys/fs/bpf || exit 1
test -e "$PINS" || echo won
