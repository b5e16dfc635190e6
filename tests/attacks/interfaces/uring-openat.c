/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The blocked file opened by io_uring: IORING_OP_OPENAT.
 *
 * No system call names the file (ARMO's "Curing" rootkit; kunai issue 207).
 *
 * ---
 * tries: [D1]
 * rule: secret
 * wins: secret
 */
#include "uring.h"

int main(void)
{
	return show(once((struct io_uring_sqe){ .opcode = IORING_OP_OPENAT,
						.fd = AT_FDCWD,
						.addr = (unsigned long)V("secret"),
						.open_flags = O_RDONLY }));
}
