/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Datagrams from a socket that is never connected, by sendto and by sendmmsg.
 *
 * There is no connect whose address could be looked at; and the socket is another program's, so that it is not made here
 * either.
 *
 * ---
 * tries: [D5]
 * breaks: {network: {matchProtocols: [{protocol: udp, fromSource: [{path: "{o}/second"}]}]}}
 * before: cp "$SELF" "$O/second"
 * wins: reached
 */
#include "attack.h"

int main(int argc, char **argv)
{
	struct sockaddr_in to = outside();
	struct iovec parts[2] = { { (char *)word(), 4 }, { (char *)word() + 4, strlen(word()) - 4 } };
	struct mmsghdr message = {
		.msg_hdr = { .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = parts, .msg_iovlen = 2 }
	};

	if (argc == 1) {
		must(dup2(socket(AF_INET, SOCK_DGRAM, 0), 20), "socket");
		execl(O("second"), argv[0], "second", NULL);
		return failed("execl");
	}
	if (sendto(20, word(), strlen(word()), 0, (struct sockaddr *)&to, sizeof(to)) > 0)
		return 0;
	must(sendmmsg(20, &message, 1, 0), "sendmmsg");
	return 0;
}
