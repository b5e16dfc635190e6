/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An extended attribute of a file that must not be changed, set by io_uring: IORING_OP_SETXATTR.
 *
 * No call with a name of its own is made, and the hook for attributes has no path.
 *
 * ---
 * tries: [D1]
 * rule: fixed
 * wins: changed
 */
#include "uring.h"

int main(void)
{
	must(once((struct io_uring_sqe){ .opcode = IORING_OP_SETXATTR,
					 .addr = (unsigned long)"trusted.attack",
					 .addr2 = (unsigned long)"x",
					 .addr3 = (unsigned long)V("secret"),
					 .len = 1 }),
	     "IORING_OP_SETXATTR");
	return 0;
}
