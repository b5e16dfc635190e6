# SPDX-License-Identifier: Apache-2.0
# The blocked file from a process namespace of the attacker's own, where the task is process 1.
#
# Engines that know a container by its process namespace do not know this one.
#
# ---
# tries: [C1]
# rule: secret
# wins: secret
unshare -pf cat "$V/secret"
unshare -mpf --mount-proc cat "$V/secret"
