# SPDX-License-Identifier: Apache-2.0
# The blocked file moved away, and read by its new name.
#
# Moving a file opens nothing, and the new name is one that no rule knows.
#
# ---
# tries: [A4]
# rule: secret
# wins: secret
mv "$V/secret" "$O/other"
cat "$O/other"
