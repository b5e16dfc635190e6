# SPDX-License-Identifier: Apache-2.0
# A program that may read the file, made to do so by its arguments and its environment.
#
# The Allow spares one program by its path. What it does is up to whoever starts it.
#
# ---
# tries: [B7]
# breaks:
#   file:
#     matchPaths:
#     - path: "{v}/secret"
#     - path: "{v}/secret"
#       fromSource: [{path: /usr/bin/bash}]
#       action: Allow
# alone: true
# beyond: Programs that others drive
# wins: secret
bash -c 'read -r line < "$V/secret"; echo "$line"'
