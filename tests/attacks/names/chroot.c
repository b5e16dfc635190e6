/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The blocked file as /secret, after chroot into its directory.
 *
 * A path is counted from the task's root, which a task with the capability can choose, also in a user namespace of its own.
 *
 * ---
 * tries: [A9]
 * rule: secret
 * wins: secret
 */
#include "attack.h"

int main(void)
{
	must(chroot(getenv("V")), "chroot");
	must(chdir("/"), "chdir");
	return show(open("/secret", O_RDONLY));
}
