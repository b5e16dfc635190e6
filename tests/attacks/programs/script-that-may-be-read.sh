# SPDX-License-Identifier: Apache-2.0
# A script that must not be run, given to a shell as an argument.
#
# The rule stands in the section of programs and speaks of running it. The shell only reads it.
#
# ---
# tries: [B2]
# breaks: {process: {matchPaths: [{path: "{v}/script"}]}}
# before: echo 'echo won' > "$V/script"
# beyond: Interpreters
# wins: said
sh "$V/script"
