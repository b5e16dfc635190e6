# SPDX-License-Identifier: Apache-2.0
# A rule on a directory whose path is longer than 64 bytes, and its file read.
#
# KubeArmor's BPF enforcer cuts a directory's path at 64 bytes, and the rule then matches nothing.
#
# ---
# tries: [A8]
# breaks:
#   file:
#     matchDirectories:
#     - dir: "{v}/a-directory-with-a-rather-long-name-of-its-own/and-one-more-below-it/"
#       recursive: true
# wins: secret
# before: |
#   mkdir -p "$V/a-directory-with-a-rather-long-name-of-its-own/and-one-more-below-it/x"
#   mv "$V/secret" "$V/a-directory-with-a-rather-long-name-of-its-own/and-one-more-below-it/x"
cat "$V/a-directory-with-a-rather-long-name-of-its-own/and-one-more-below-it/x/secret"
