# SPDX-License-Identifier: Apache-2.0
# A file that must not be written, made elsewhere and moved to its place together with its directory.
#
# The file is written under a name that no rule knows. What is moved then is a directory of which no rule speaks
# either, to a name of which none speaks; but below that name lies what must not be written (think of
# /root/.ssh/authorized_keys where there is no /root/.ssh yet).
#
# ---
# tries: [own]
# breaks: {file: {matchPaths: [{path: "{v}/home/keys", readOnly: true}]}}
# by: [ProtectedPath]
# wins: changed
mkdir "$O/home"
echo mine > "$O/home/keys"
mv "$O/home" "$V/home"
