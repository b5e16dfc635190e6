# SPDX-License-Identifier: Apache-2.0
# The kernel's emergency keys, by the file that presses them: kill all, unmount all, reboot.
#
# The key that is pressed here only prints help; the others go the same way.
#
# ---
# tries: [E1, own]
# source: https://docs.kernel.org/admin-guide/sysrq.html
# wins: said
echo h > /proc/sysrq-trigger && echo won
