# SPDX-License-Identifier: Apache-2.0
# Hauberk's pins removed: what is no longer pinned ends with the process that holds it.
#
# They are files, in a file system that is mounted where everybody looks for it (Vali-Cyber's delete_keys goes on from
# here).
#
# ---
# tries: [D6]
# wins: said
pin=$(ls -d "$PINS"/links/* | head -n 1)
mv "$pin" "$pin.gone" || rm "$pin" || exit 1
mv "$pin.gone" "$pin" 2>/dev/null
echo won
