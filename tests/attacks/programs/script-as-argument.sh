# SPDX-License-Identifier: Apache-2.0
# A script that must not be run or read, given to a shell as an argument, on standard input, and with `.`.
#
# The script is never executed: the shell reads it (fapolicyd issue 131).
#
# ---
# tries: [B2]
# breaks: {file: {matchPaths: [{path: "{v}/script"}]}}
# before: echo 'echo won' > "$V/script"
# wins: said
sh "$V/script"
sh < "$V/script"
cat "$V/script" | sh
. "$V/script"
