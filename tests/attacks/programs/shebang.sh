# SPDX-License-Identifier: Apache-2.0
# The blocked program named as the interpreter of a script, and of the interpreter of a script.
#
# What is executed is a script, which no rule names; the kernel goes on to the interpreter by itself.
#
# ---
# tries: [B2]
# rule: program
# wins: ran
printf '#!%s\n' "$V/prog" > "$O/one"
printf '#!%s\n' "$O/one" > "$O/two"
chmod 755 "$O/one" "$O/two"
"$O/one"
"$O/two"
