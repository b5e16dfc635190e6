/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file that must not be changed, removed by io_uring: IORING_OP_UNLINKAT.
 *
 * No call with a name of its own is made, so that who watches unlink(2) sees nothing.
 *
 * ---
 * tries: [D1]
 * rule: fixed
 * wins: changed
 */
#include "uring.h"

int main(void)
{
	must(once((struct io_uring_sqe){
		     .opcode = IORING_OP_UNLINKAT, .fd = AT_FDCWD, .addr = (unsigned long)V("secret") }),
	     "IORING_OP_UNLINKAT");
	return 0;
}
