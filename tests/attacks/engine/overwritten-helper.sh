# SPDX-License-Identifier: Apache-2.0
# The program that loads modules for the kernel, overwritten where it lies, and called by asking for a module.
#
# The kernel starts it by its path, as root and with no label. Who shares the machine's root file system need not touch
# the kernel's setting.
#
# ---
# tries: [B6, own]
# source: https://docs.kernel.org/admin-guide/sysctl/kernel.html (modprobe)
# wins: said
# places: [plain]
# beyond: The machine's own programs
helper=$(readlink -f "$(cat /proc/sys/kernel/modprobe)")
cp -p "$helper" "$O/saved"
printf '#!/bin/sh\ntouch "%s/called"\n' "$O" > "$O/mine"
chmod 755 "$O/mine"
mv "$O/mine" "$helper"
# a socket of a family that needs a module
python3 -ISBc 'import socket; socket.socket(12, socket.SOCK_DGRAM)' 2>/dev/null
mv "$O/saved" "$helper"
test -e "$O/called" && echo won
