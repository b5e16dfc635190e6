/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A flood of refusals, and in the midst of it the one that matters.
 *
 * Where alerts are limited to some a second, who uses that up first acts unseen (KubeArmor issue 2789, CVE-2019-8339).
 *
 * ---
 * tries: [E3]
 * rule: tree
 * wins: secret
 * alerted: "{v}/secret"
 */
#include "attack.h"

int main(void)
{
	int fd = -1;

	for (int i = 0; i < 2000 && fd < 0; i++)
		fd = i == 1000 ? open(V("secret"), O_RDONLY) : open(V("prog"), O_RDWR);
	if (fd >= 0)
		fd = open(V("secret"), O_RDONLY);
	return show(fd);
}
