# SPDX-License-Identifier: Apache-2.0
# A new overlay over the directory of the blocked file: the same files on another file system.
#
# What is opened in the overlay is the overlay's file; the one below is opened by the kernel itself, for itself. An
# unprivileged user namespace is enough for such a mount (as used by CVE-2023-0386).
#
# ---
# tries: [A5, A10]
# source: CVE-2023-0386 (overlayfs)
# rule: secret
# lies_on: tmpfs
# by: [ProtectedPath, overlay-mount]
# wins: secret
mkdir "$O/mnt" "$O/empty"
unshare -m sh -c 'mount -t overlay -o "lowerdir=$V:$O/empty" none "$O/mnt" && cat "$O/mnt/secret"'
unshare -Urm sh -c 'mount -t overlay -o "lowerdir=$V:$O/empty" none "$O/mnt" && cat "$O/mnt/secret"'
