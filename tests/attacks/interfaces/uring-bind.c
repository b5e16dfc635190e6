/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A socket that another program made, bound by io_uring: IORING_OP_BIND.
 *
 * The rule holds for the second program. It makes no socket: it has one from before its exec.
 *
 * ---
 * tries: [D1]
 * breaks: {network: {matchProtocols: [{protocol: tcp, fromSource: [{path: "{o}/second"}]}]}}
 * before: cp "$SELF" "$O/second"
 * wins: said
 * may_lack: IORING_OP_BIND came in 6.11
 */
#include "uring.h"

#define OP_BIND 56 /* linux/io_uring.h of 6.11 */

int main(int argc, char **argv)
{
	struct sockaddr_in any = { .sin_family = AF_INET };

	if (argc == 1) {
		must(dup2(socket(AF_INET, SOCK_STREAM, 0), 20), "socket");
		execl(O("second"), argv[0], "second", NULL);
		return failed("execl");
	}
	must(once((struct io_uring_sqe){
		     .opcode = OP_BIND, .fd = 20, .addr = (unsigned long)&any, .off = sizeof(any) }),
	     "IORING_OP_BIND");
	return won();
}
