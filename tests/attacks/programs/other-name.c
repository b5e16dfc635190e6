/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The blocked program under another name of its own: argv[0] says `harmless`.
 *
 * Programs of many names (busybox) look at argv[0], and so do engines that read arguments (KubeArmor issue 984).
 *
 * ---
 * tries: [B5]
 * rule: program
 * wins: ran
 */
#include "attack.h"

int main(void)
{
	char *harmless[] = { "harmless", NULL };

	must(symlink(V("prog"), O("harmless")), "symlink");
	execve(O("harmless"), harmless, environ);
	return failed("execve");
}
