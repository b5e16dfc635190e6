/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hauberk's process given a limit of no processor time at all, and killed by the kernel for passing it.
 *
 * prlimit sets limits of other processes. The signal that follows is the kernel's own.
 *
 * ---
 * tries: [E1, own]
 * source: prlimit(2), https://man7.org/linux/man-pages/man2/prlimit.2.html
 * wins: said
 */
#include "attack.h"
#include <sys/resource.h>

int main(void)
{
	struct rlimit before, few = { 3, 3 };
	pid_t agent = atoi(getenv("AGENT"));

	/* few descriptors rather than no time: the same call, and whoever is attacked lives */
	must(prlimit(agent, RLIMIT_NOFILE, NULL, &before), "prlimit");
	few.rlim_max = before.rlim_max;
	must(prlimit(agent, RLIMIT_NOFILE, &few, NULL), "prlimit");
	prlimit(agent, RLIMIT_NOFILE, &before, NULL);
	return won();
}
