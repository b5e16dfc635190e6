/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hauberk's process stopped, by a signal through a pidfd, so that nobody reads alerts any more.
 *
 * A stopped process is alive to whoever checks that it is.
 *
 * ---
 * tries: [E1]
 * wins: dead
 */
#include "attack.h"

int main(void)
{
	pid_t agent = atoi(getenv("AGENT"));
	int process = syscall(SYS_pidfd_open, agent, 0);

	must(process, "pidfd_open");
	if (syscall(SYS_pidfd_send_signal, process, SIGSTOP, NULL, 0) && kill(agent, SIGSTOP))
		return failed("kill");
	return 0;
}
