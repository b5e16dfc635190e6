# SPDX-License-Identifier: Apache-2.0
# The blocked file from the mount namespace of process 1, joined by setns.
#
# As nsenter and `kubectl debug` do. There the file is reached through /proc of a task that stayed behind.
#
# ---
# tries: [C3]
# rule: secret
# wins: secret
sleep 100 &
nsenter --mount=/proc/1/ns/mnt cat "/proc/$!/root$V/secret"
kill $!
