/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The blocked file opened by the polling thread of an io_uring: IORING_SETUP_SQPOLL.
 *
 * The attacker makes no system call at all when it opens: it writes to memory, and a kernel thread acts.
 *
 * ---
 * tries: [C9, D1]
 * rule: secret
 * wins: secret
 */
#include "uring.h"

int main(void)
{
	struct ring r;

	make_ring(&r, IORING_SETUP_SQPOLL);
	return show(submit(&r, (struct io_uring_sqe){ .opcode = IORING_OP_OPENAT,
						      .fd = AT_FDCWD,
						      .addr = (unsigned long)V("secret"),
						      .open_flags = O_RDONLY }));
}
