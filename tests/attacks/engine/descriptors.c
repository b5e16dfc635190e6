/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A descriptor of Hauberk's taken from its process: its maps are then the attacker's.
 *
 * pidfd_getfd duplicates a descriptor of another process, for whoever may trace it.
 *
 * ---
 * tries: [D6, A7]
 * wins: said
 */
#include "attack.h"

int main(void)
{
	int process = syscall(SYS_pidfd_open, atoi(getenv("AGENT")), 0);

	must(process, "pidfd_open");
	for (int fd = 0; fd < 64; fd++)
		if (syscall(SYS_pidfd_getfd, process, fd, 0) >= 0)
			return won();
	return failed("pidfd_getfd");
}
