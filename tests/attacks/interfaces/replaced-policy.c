/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The blocked file opened again and again while the policy that blocks it is replaced.
 *
 * Where a policy is taken away and put back, or changed entry by entry, there are moments without it (KubeArmor writes its
 * maps like this; so do upgrades that detach before they attach).
 *
 * ---
 * tries: [E2]
 * rule: secret
 * replaced: true
 * wins: secret
 */
#include "attack.h"

int main(void)
{
	const char *path = V("secret");

	for (int i = 0; i < 30000; i++) {
		int fd = open(path, O_RDONLY);

		if (fd >= 0)
			return show(fd);
	}
	return 1;
}
