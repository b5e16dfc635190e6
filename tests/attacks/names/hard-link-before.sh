# SPDX-License-Identifier: Apache-2.0
# The blocked file read by a second name that it had before the policy came.
#
# No link is made under the policy, so that no hook on linking sees anything; the name that is opened is one that the
# policy does not know.
#
# ---
# tries: [A1]
# rule: secret
# wins: secret
# early: ln "$V/secret" "$O/earlier"
cat "$O/earlier"
