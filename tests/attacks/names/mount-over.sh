# SPDX-License-Identifier: Apache-2.0
# A file system mounted over the directory of a file that must not be changed, with a file of the attacker's in its place.
#
# Nothing is written to the protected file, yet whoever opens its path in this mount namespace finds the attacker's (runc
# was led around AppArmor by mounts over /proc).
#
# ---
# tries: [own]
# source: CVE-2019-16884 and CVE-2023-28642 (runc)
# rule: fixed
# by: [ProtectedPath, mount-over]
# wins: said
unshare -m sh -c 'mount -t tmpfs none "$V" && echo mine > "$V/secret" && grep -q mine "$V/secret" && echo won'
