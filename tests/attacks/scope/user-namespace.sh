# SPDX-License-Identifier: Apache-2.0
# The blocked file from a user namespace and a mount namespace of the attacker's own.
#
# In there everybody is root, and to engines that know a container by its namespaces the task is nobody's. Kubernetes
# lets pods make such namespaces by default.
#
# ---
# tries: [C1]
# rule: secret
# wins: secret
unshare -Ur cat "$V/secret"
unshare -Urm cat "$V/secret"
