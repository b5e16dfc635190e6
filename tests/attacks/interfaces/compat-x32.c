/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The blocked file opened by the x32 system calls.
 *
 * They are those of 64 bits with one bit more in their numbers: a list of numbers does not have them.
 *
 * ---
 * tries: [D2]
 * rule: secret
 * wins: secret
 * may_lack: the x32 system calls, which Debian's kernels leave off unless booted with syscall.x32=y
 */
#include "attack.h"

int main(void)
{
	long fd = syscall(0x40000000 | SYS_open, V("secret"), O_RDONLY, 0);

	if (fd < 0 && errno == ENOSYS)
		return lacking("the kernel has no x32 system calls");
	return show(fd);
}
