/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The blocked file opened with O_PATH, which is no access, and then again through /proc/self/fd.
 *
 * The second open has no path that leads to the file: it follows a magic link to what the descriptor stands for.
 *
 * ---
 * tries: [A6]
 * rule: secret
 * wins: secret
 */
#include "attack.h"

int main(void)
{
	int file = open(V("secret"), O_PATH), directory = open(getenv("V"), O_PATH);
	char path[64];

	must(file, "O_PATH");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	if ((file = open(path, O_RDONLY)) >= 0)
		return show(file);
	return show(openat(directory, "secret", O_RDONLY));
}
