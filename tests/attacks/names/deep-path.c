/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file six hundred directories down.
 *
 * A walk to the root of a file system has to end somewhere, and a program in the kernel more than others.
 *
 * ---
 * tries: [A8]
 * rule: tree
 * wins: secret
 * before: exec python3 -ISB "$HERE/outside/dig.py" "$V" 600 1
 */
#include "attack.h"

int main(void)
{
	must(chdir(getenv("V")), "chdir");
	for (int i = 0; i < 600; i++)
		must(chdir("d"), "chdir");
	return show(open("secret", O_RDONLY));
}
