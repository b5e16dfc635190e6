# SPDX-License-Identifier: Apache-2.0
# A copy of the blocked program, run from elsewhere.
#
# A rule that lists what must not run names a file. The copy is another one, and the rule does not stop anybody
# from reading the first (fapolicyd's my-ls).
#
# ---
# tries: [A3]
# rule: program
# wins: ran
# beyond: Copies
cp "$V/prog" "$O/tool"
"$O/tool"
