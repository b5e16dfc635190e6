# SPDX-License-Identifier: Apache-2.0
# The blocked file through the links of /proc: root, cwd, and those of other tasks.
#
# These links do not lead by a path: what is read is `/proc/self/root/...`, which no rule names (runc's CVE-2024-21626
# used /proc/self/cwd like this).
#
# ---
# tries: [A6]
# rule: secret
# wins: secret
cat "/proc/self/root$V/secret"
cat "/proc/$$/root$V/secret"
cd "$V" && cat /proc/self/cwd/secret
cat "/proc/thread-self/root$V/secret"
