# SPDX-License-Identifier: Apache-2.0
# A hard link to the blocked file, and the file read by its new name.
#
# A rule on paths knows one name of a file. The link has another, in a directory of which no rule speaks, and the
# kernel opens it without ever naming the first (KubeArmor issue 988; Tetragon's and Falco's documentation).
#
# ---
# tries: [A1]
# rule: secret
# wins: secret
ln "$V/secret" "$O/other"
cat "$O/other"
