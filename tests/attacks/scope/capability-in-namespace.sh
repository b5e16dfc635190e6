# SPDX-License-Identifier: Apache-2.0
# A blocked capability used in a user namespace of the attacker's own, where everybody has all of them.
#
# The capability is one over the namespace only, so that it looks harmless; exploits of the kernel need no more
# (CVE-2022-0185 and many since).
#
# ---
# tries: [own]
# source: CVE-2022-0185
# breaks: {capabilities: {matchCapabilities: [{capability: sys_admin}]}}
# wins: said
mkdir "$O/mnt"
unshare -Urm sh -c 'mount -t tmpfs none "$O/mnt" && echo won'
