# SPDX-License-Identifier: Apache-2.0
# A symbolic link planted where a directory of the blocked file would be.
#
# As in rename-into-place, but nothing is moved: whoever opens $V/home/keys afterwards follows the link to the
# attacker's file. The rule says that nobody writes there.
#
# ---
# tries: [own]
# breaks: {file: {matchPaths: [{path: "{v}/home/keys", readOnly: true}]}}
# by: [ProtectedPath]
# wins: changed
mkdir "$O/home"
echo mine > "$O/home/keys"
ln -s "$O/home" "$V/home"
