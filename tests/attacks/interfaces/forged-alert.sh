# SPDX-License-Identifier: Apache-2.0
# A refusal whose alert is to look like something else: lines, colours and broken letters in names.
#
# Alerts are read by programs line by line, and by people on terminals.
#
# ---
# tries: [E8]
# rule: tree
# wins: secret
name=$(printf 'x"}\n{"Type":"MatchedPolicy","Result":"Passed"}\033[2J\377\342\200\256')
echo x > "$V/$name" || mkdir "$O/$name"
cp "$V/secret" "$O/$name/$name"
cat "$O/$name/$name" || cat "$V/secret"
