# SPDX-License-Identifier: Apache-2.0
# A copy of a program, run from elsewhere, where only some programs may run.
#
# The copy has the content of a program, a trusted name, and the same owner and mode.
#
# ---
# tries: [A3]
# breaks:
#   process:
#     matchPaths: [{path: "{act}"}, {path: /bin/sh}, {path: /bin/cp}, {path: /bin/mkdir}]
#     action: Allow
# posture: block
# by: [DefaultPosture]
# wins: ran
mkdir -p "$O/usr/bin"
cp "$V/prog" "$O/usr/bin/sh"
"$O/usr/bin/sh"
