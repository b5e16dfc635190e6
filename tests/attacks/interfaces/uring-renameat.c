/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The blocked file moved away by io_uring: IORING_OP_RENAMEAT.
 *
 * Moving opens nothing, and here it is not even a rename(2).
 *
 * ---
 * tries: [D1]
 * rule: secret
 * wins: secret
 */
#include "uring.h"

int main(void)
{
	must(once((struct io_uring_sqe){ .opcode = IORING_OP_RENAMEAT,
					 .fd = AT_FDCWD,
					 .addr = (unsigned long)V("secret"),
					 .len = AT_FDCWD,
					 .addr2 = (unsigned long)O("other") }),
	     "IORING_OP_RENAMEAT");
	return show(open(O("other"), O_RDONLY));
}
