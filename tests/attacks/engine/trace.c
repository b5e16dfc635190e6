/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hauberk's process traced: from then on it does what the attacker wants.
 *
 * It holds descriptors of all maps, and is not confined.
 *
 * ---
 * tries: [D6, E1, B7]
 * wins: said
 */
#include "attack.h"
#include <sys/ptrace.h>

int main(void)
{
	pid_t agent = atoi(getenv("AGENT"));

	must(ptrace(PTRACE_SEIZE, agent, 0, 0), "PTRACE_SEIZE");
	return won();
}
