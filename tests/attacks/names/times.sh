# SPDX-License-Identifier: Apache-2.0
# The times of a file that must not be changed.
#
# The hook for times has no path, only an inode.
#
# ---
# tries: [A11]
# rule: fixed
# wins: changed
touch -c -d 2001-01-01 "$V/secret"
touch -c -h -d 2001-01-01 "$V"
