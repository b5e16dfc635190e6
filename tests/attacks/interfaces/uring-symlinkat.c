/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A symbolic link made where nothing may be made, by io_uring: IORING_OP_SYMLINKAT.
 *
 * No call with a name of its own is made, so that who watches symlink(2) sees nothing.
 *
 * ---
 * tries: [D1]
 * rule: fixed
 * wins: changed
 */
#include "uring.h"

int main(void)
{
	must(once((struct io_uring_sqe){ .opcode = IORING_OP_SYMLINKAT,
					 .fd = AT_FDCWD,
					 .addr = (unsigned long)"/etc/passwd",
					 .addr2 = (unsigned long)V("new") }),
	     "IORING_OP_SYMLINKAT");
	return 0;
}
