# SPDX-License-Identifier: Apache-2.0
# The blocked file read by a second name that somebody outside gives it while the policy is in force.
#
# Whoever is not confined may link what they like, wherever they like; the confined task only opens what is there.
#
# ---
# tries: [A1]
# rule: secret
# wins: secret
# beyond: Names given from outside
# before: ln "$V/secret" "$O/given"
cat "$O/given"
