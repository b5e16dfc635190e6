/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The blocked program without a single argument, not even its own name.
 *
 * Who reads argv[0] of a program that has none reads the environment (pwnkit).
 *
 * ---
 * tries: [own]
 * source: CVE-2021-4034 (polkit)
 * rule: program
 * wins: ran
 */
#include "attack.h"

int main(void)
{
	char *none[] = { NULL };

	execve(V("prog"), none, environ);
	return failed("execve");
}
