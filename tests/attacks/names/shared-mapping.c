/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file that must not be changed, written to through a shared mapping.
 *
 * Stores to memory are no calls at all; what counts is the open and the mapping.
 *
 * ---
 * tries: [A12]
 * rule: fixed
 * wins: changed
 */
#include "attack.h"

int main(void)
{
	int fd = open(V("secret"), O_RDWR);
	char *at;

	must(fd, "open");
	at = mmap(NULL, 4, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		return failed("mmap");
	memcpy(at, "mine", 4);
	must(msync(at, 4, MS_SYNC), "msync");
	return 0;
}
