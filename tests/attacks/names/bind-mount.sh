# SPDX-License-Identifier: Apache-2.0
# The directory of the blocked file mounted elsewhere, in a mount namespace of the attacker's own.
#
# A path is looked up through mounts; by the new one the file is called mnt/secret. Mounts can be bound again, moved,
# and remounted (Tetragon's documentation).
#
# ---
# tries: [A5]
# rule: secret
# wins: secret
mkdir "$O/mnt" "$O/two"
unshare -m sh -c 'mount --bind "$V" "$O/mnt" && cat "$O/mnt/secret"
  mount -o remount,bind,ro "$O/mnt" && cat "$O/mnt/secret"
  mount --make-private "$O/mnt"; mount --move "$O/mnt" "$O/two" && cat "$O/two/secret"'
