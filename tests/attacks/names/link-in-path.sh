# SPDX-License-Identifier: Apache-2.0
# The blocked file through symbolic links in the middle of a path, and up again with `..`.
#
# Who compares the path as it is written compares `way/../vault/secret`; where `..` leads is known only after the
# link has been followed (Falco issue 2916, blackberry/Falco-bypasses).
#
# ---
# tries: [A2]
# rule: secret
# wins: secret
ln -s "$V" "$O/way"
ln -s way "$O/two"
cat "$O/two/../vault/secret"
cat "$O/way/secret"
cd "$O/two" && cat ./secret
