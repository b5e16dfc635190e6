# SPDX-License-Identifier: Apache-2.0
# The blocked file by its name in capitals, on a file system that does not tell the two apart.
#
# The kernel finds the file, and its name in the kernel is the one by which it was looked up first.
#
# ---
# tries: [A13]
# rule: secret
# early: |
#   modprobe loop
#   modprobe ext4
#   truncate -s 8M "$O/image"
#   mkfs.ext4 -q -O casefold,^has_journal "$O/image"
#   mv "$V" "$O/old"
#   mkdir "$V" "$O/mnt"
#   mount -o loop "$O/image" "$O/mnt"
#   mkdir "$O/mnt/vault"
#   chattr +F "$O/mnt/vault"
#   cp "$O/old/secret" "$O/mnt/vault/secret"
#   umount "$O/mnt"
#   mount -o loop "$O/image" "$O/mnt"
#   mount --bind "$O/mnt/vault" "$V"
# wins: secret
# by: [changed-case, UnknownObject]
cat "$V/SECRET"
