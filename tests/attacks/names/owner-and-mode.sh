# SPDX-License-Identifier: Apache-2.0
# The owner and the mode of a file that must not be changed.
#
# No open is needed for either (KubeArmor's BPF enforcer lets chown through).
#
# ---
# tries: [A11]
# rule: fixed
# wins: changed
chown 1:1 "$V/secret"
chown -h 1:1 "$V"
chmod 777 "$V/secret"
