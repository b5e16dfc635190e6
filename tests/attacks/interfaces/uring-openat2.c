/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The blocked file opened by io_uring: IORING_OP_OPENAT2.
 *
 * It is an operation of its own, with its own way to the same open.
 *
 * ---
 * tries: [D1]
 * rule: secret
 * wins: secret
 */
#include "uring.h"

int main(void)
{
	struct {
		uint64_t flags, mode, resolve;
	} how = { .flags = O_RDONLY };

	return show(once((struct io_uring_sqe){ .opcode = IORING_OP_OPENAT2,
						.fd = AT_FDCWD,
						.addr = (unsigned long)V("secret"),
						.len = sizeof(how),
						.off = (unsigned long)&how }));
}
