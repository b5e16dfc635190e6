/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A blocked socket made by io_uring: IORING_OP_SOCKET.
 *
 * Filters on system calls that forbid socket(2) do not see it.
 *
 * ---
 * tries: [D1]
 * rule: tcp
 * wins: reached
 */
#include "uring.h"

int main(void)
{
	struct sockaddr_in to = outside();
	int s = once((struct io_uring_sqe){ .opcode = IORING_OP_SOCKET, .fd = AF_INET, .off = SOCK_STREAM });

	must(s, "IORING_OP_SOCKET");
	must(connect(s, (struct sockaddr *)&to, sizeof(to)), "connect");
	must(write(s, word(), strlen(word())), "write");
	return 0;
}
