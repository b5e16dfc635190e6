/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The blocked file opened straight into the ring's own table of files, and read from there.
 *
 * Such a file is never a descriptor of the task: it is not in /proc/self/fd, and no call on descriptors sees it.
 *
 * ---
 * tries: [D1]
 * rule: secret
 * wins: secret
 */
#include "uring.h"

int main(void)
{
	static char text[100];
	int empty[1] = { -1 };
	struct ring r;
	long n;

	make_ring(&r, 0);
	must(syscall(SYS_io_uring_register, r.fd, IORING_REGISTER_FILES, empty, 1), "IORING_REGISTER_FILES");
	must(submit(&r, (struct io_uring_sqe){ .opcode = IORING_OP_OPENAT,
					       .fd = AT_FDCWD,
					       .addr = (unsigned long)V("secret"),
					       .open_flags = O_RDONLY,
					       .file_index = 1 }),
	     "IORING_OP_OPENAT");
	n = submit(&r, (struct io_uring_sqe){ .opcode = IORING_OP_READ,
					      .flags = IOSQE_FIXED_FILE,
					      .addr = (unsigned long)text,
					      .len = sizeof(text) });
	must(n, "IORING_OP_READ");
	fwrite(text, 1, n, stdout);
	return 0;
}
