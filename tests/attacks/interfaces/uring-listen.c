/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A socket that another program made and bound, listening by io_uring: IORING_OP_LISTEN.
 *
 * The rule holds for the second program. It makes no socket: it has one from before its exec.
 *
 * ---
 * tries: [D1]
 * breaks: {network: {matchProtocols: [{protocol: tcp, fromSource: [{path: "{o}/second"}]}]}}
 * before: cp "$SELF" "$O/second"
 * wins: said
 * may_lack: IORING_OP_LISTEN came in 6.11
 */
#include "uring.h"

#define OP_LISTEN 57 /* linux/io_uring.h of 6.11 */

int main(int argc, char **argv)
{
	struct sockaddr_in any = { .sin_family = AF_INET };

	if (argc == 1) {
		must(dup2(socket(AF_INET, SOCK_STREAM, 0), 20), "socket");
		must(bind(20, (struct sockaddr *)&any, sizeof(any)), "bind");
		execl(O("second"), argv[0], "second", NULL);
		return failed("execl");
	}
	must(once((struct io_uring_sqe){ .opcode = OP_LISTEN, .fd = 20, .len = 4 }), "IORING_OP_LISTEN");
	return won();
}
