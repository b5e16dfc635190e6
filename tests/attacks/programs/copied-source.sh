# SPDX-License-Identifier: Apache-2.0
# A program that may not read the file, copied elsewhere and run there.
#
# The rule speaks of what one program does, by its path. The copy has another.
#
# ---
# tries: [A3, B7]
# breaks: {file: {matchPaths: [{path: "{v}/secret", fromSource: [{path: /usr/bin/cat}]}]}}
# beyond: Copies
# wins: secret
cat "$V/secret"
cp /usr/bin/cat "$O/tac"
"$O/tac" "$V/secret"
