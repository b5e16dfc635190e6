/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The blocked library mapped for reading, which nobody minds, and made executable afterwards.
 *
 * The mapping is judged when it is made. mprotect(2) changes it later and names no file.
 *
 * ---
 * tries: [B4]
 * rule: library
 * wins: said
 */
#include "attack.h"

int main(void)
{
	int fd = open(V("lib.so"), O_RDONLY);
	void *at;

	must(fd, "open");
	at = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	if (at == MAP_FAILED)
		return failed("mmap");
	must(mprotect(at, 4096, PROT_READ | PROT_EXEC), "mprotect");
	return won();
}
