# SPDX-License-Identifier: Apache-2.0
# The blocked file itself mounted over another file.
#
# A mount can be of a single file; then not even the last part of the path is the rule's.
#
# ---
# tries: [A5]
# rule: secret
# wins: secret
touch "$O/file"
unshare -m sh -c 'mount --bind "$V/secret" "$O/file" && cat "$O/file"'
