/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The blocked file given a second name by io_uring: IORING_OP_LINKAT.
 *
 * As in hard-link, and without a link(2) that could be seen.
 *
 * ---
 * tries: [D1]
 * rule: secret
 * wins: secret
 */
#include "uring.h"

int main(void)
{
	must(once((struct io_uring_sqe){ .opcode = IORING_OP_LINKAT,
					 .fd = AT_FDCWD,
					 .addr = (unsigned long)V("secret"),
					 .len = AT_FDCWD,
					 .addr2 = (unsigned long)O("other") }),
	     "IORING_OP_LINKAT");
	return show(open(O("other"), O_RDONLY));
}
