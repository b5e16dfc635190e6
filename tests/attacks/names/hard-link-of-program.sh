# SPDX-License-Identifier: Apache-2.0
# A hard link to the blocked program, run by its new name.
#
# As with files: the path that execve sees is one that no rule knows.
#
# ---
# tries: [A1]
# rule: program
# wins: ran
# by: [ProtectedPath]
ln "$V/prog" "$O/tool"
"$O/tool"
