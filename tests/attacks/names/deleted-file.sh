# SPDX-License-Identifier: Apache-2.0
# The blocked file after somebody outside has deleted it, through a process that still holds it open.
#
# A deleted file has no name any more: /proc shows one that ends in ` (deleted)`.
#
# ---
# tries: [A9, C2]
# rule: secret
# by: [deleted-file, HauberkSelfProtection]
# wins: secret
# outside: exec 5<"$V/secret"; rm "$V/secret"; echo $$ > "$O/starting"; mv "$O/starting" "$O/ready"; while :; do sleep 1000; done
cat "/proc/$(cat "$O/ready")/fd/5"
