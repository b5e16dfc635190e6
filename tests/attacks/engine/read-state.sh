# SPDX-License-Identifier: Apache-2.0
# Hauberk's files: what its directories hold, and a file of the attacker's among it.
#
# They are files, and root reads and writes all files.
#
# ---
# tries: [D6]
# wins: said
# may_lack: this version of Hauberk keeps no files in /run/hauberk and /var/lib/hauberk
test -d /run/hauberk || test -d /var/lib/hauberk || { echo 'lacking: no state directory'; exit 77; }
for place in /run/hauberk /var/lib/hauberk /etc/hauberk; do
    test -d "$place" || continue
    ls "$place" && echo won
    touch "$place/attack" && echo won
done
