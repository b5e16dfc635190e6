# SPDX-License-Identifier: Apache-2.0
# A module loaded into the kernel: what runs there is bound by nothing.
#
# Root may do so, and a container with all capabilities is root enough.
#
# ---
# tries: [D6]
# wins: said
modprobe dummy && grep -q '^dummy ' /proc/modules && echo won
modprobe -r dummy 2>/dev/null
