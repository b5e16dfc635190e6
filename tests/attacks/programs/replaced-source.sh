# SPDX-License-Identifier: Apache-2.0
# A program that bash must not start, started by a harmless program that bash has become.
#
# The rule says `from bash`. When the harmless program calls exec, the task runs something else than bash.
#
# ---
# tries: [B7]
# breaks: {process: {matchPaths: [{path: "{v}/prog", fromSource: [{path: /usr/bin/bash}]}]}}
# wins: ran
bash -c 'exec env "$V/prog"'
bash -c 'exec nice "$V/prog"'
