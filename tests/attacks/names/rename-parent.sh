# SPDX-License-Identifier: Apache-2.0
# The directory of the blocked file moved away, and the file read there.
#
# The rule speaks of the file, and no rule of the directory; moving that changes the path of all that is in it.
#
# ---
# tries: [A4]
# rule: secret
# by: [ProtectedPath]
# wins: secret
mv "$V" "$O/moved"
cat "$O/moved/secret"
