/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A directory made where nothing may be made, by io_uring: IORING_OP_MKDIRAT.
 *
 * No call with a name of its own is made, so that who watches mkdir(2) sees nothing.
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
		     .opcode = IORING_OP_MKDIRAT, .fd = AT_FDCWD, .addr = (unsigned long)V("new"), .len = 0755 }),
	     "IORING_OP_MKDIRAT");
	return 0;
}
