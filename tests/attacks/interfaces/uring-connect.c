/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A socket that another program made, connected by io_uring: IORING_OP_CONNECT.
 *
 * The rule holds for the second program. It makes no socket: it has one from before its exec.
 *
 * ---
 * tries: [D1]
 * breaks: {network: {matchProtocols: [{protocol: tcp, fromSource: [{path: "{o}/second"}]}]}}
 * before: cp "$SELF" "$O/second"
 * wins: reached
 */
#include "uring.h"

int main(int argc, char **argv)
{
	struct sockaddr_in to = outside();

	if (argc == 1) {
		must(dup2(socket(AF_INET, SOCK_STREAM, 0), 20), "socket");
		execl(O("second"), argv[0], "second", NULL);
		return failed("execl");
	}
	must(once((struct io_uring_sqe){
		     .opcode = IORING_OP_CONNECT, .fd = 20, .addr = (unsigned long)&to, .off = sizeof(to) }),
	     "IORING_OP_CONNECT");
	must(write(20, word(), strlen(word())), "write");
	return 0;
}
