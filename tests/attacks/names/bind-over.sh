# SPDX-License-Identifier: Apache-2.0
# A directory of the attacker's mounted over that of a file that must not be changed.
#
# As in mount-over; but what appears in its place was there before, under another name, and keeps that name.
#
# ---
# tries: [own]
# source: CVE-2019-16884 (runc)
# rule: fixed
# by: [ProtectedPath]
# wins: said
mkdir "$O/mine"
echo mine > "$O/mine/secret"
unshare -m sh -c 'mount --bind "$O/mine" "$V" && grep -q mine "$V/secret" && echo won'
