/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A datagram sent by io_uring, from a socket that another program made: IORING_OP_SENDMSG.
 *
 * The rule holds for the second program. It makes no socket: it has one from before its exec.
 *
 * ---
 * tries: [D1]
 * breaks: {network: {matchProtocols: [{protocol: udp, fromSource: [{path: "{o}/second"}]}]}}
 * before: cp "$SELF" "$O/second"
 * wins: reached
 */
#include "uring.h"

int main(int argc, char **argv)
{
	struct sockaddr_in to = outside();
	struct iovec part = { (char *)word(), strlen(word()) };
	struct msghdr message = { .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &part, .msg_iovlen = 1 };

	if (argc == 1) {
		must(dup2(socket(AF_INET, SOCK_DGRAM, 0), 20), "socket");
		execl(O("second"), argv[0], "second", NULL);
		return failed("execl");
	}
	must(once((struct io_uring_sqe){
		     .opcode = IORING_OP_SENDMSG, .fd = 20, .addr = (unsigned long)&message, .len = 1 }),
	     "IORING_OP_SENDMSG");
	return 0;
}
