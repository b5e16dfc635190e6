/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The blocked file opened by a worker of io_uring: IOSQE_ASYNC.
 *
 * The worker is a kernel thread that does not come from fork(2): an engine that labels tasks there never hears of it.
 *
 * ---
 * tries: [C9, D1]
 * rule: secret
 * wins: secret
 */
#include "uring.h"

int main(void)
{
	return show(once((struct io_uring_sqe){ .opcode = IORING_OP_OPENAT,
						.flags = IOSQE_ASYNC,
						.fd = AT_FDCWD,
						.addr = (unsigned long)V("secret"),
						.open_flags = O_RDONLY }));
}
