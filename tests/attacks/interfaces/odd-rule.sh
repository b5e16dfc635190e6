# SPDX-License-Identifier: Apache-2.0
# A rule whose paths are written oddly, and the files that it means.
#
# Doubled slashes and dots: who compares text with text compares two different ones (KubeArmor issues 86 and 962).
#
# ---
# tries: [E5]
# breaks:
#   file:
#     matchPaths: [{path: "{v}//./secret"}]
#     matchDirectories: [{dir: "{v}/a//./b", recursive: true}]
# before: mkdir -p "$V/a/b/c"; cp "$V/secret" "$V/a/b/c/secret"
# wins: secret
cat "$V/secret"
cat "$V/a/b/c/secret"
