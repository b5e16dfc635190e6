/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IPv4 by an IPv6 socket: the address ::ffff:127.0.0.1.
 *
 * What is sent is IPv4, and the socket's family is another.
 *
 * ---
 * tries: [D5]
 * rule: udp
 * wins: reached
 */
#include "attack.h"

int main(void)
{
	struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_port = outside().sin_port };
	int s = socket(AF_INET6, SOCK_DGRAM, 0);

	must(s, "socket");
	inet_pton(AF_INET6, "::ffff:127.0.0.1", &to.sin6_addr);
	must(sendto(s, word(), strlen(word()), 0, (struct sockaddr *)&to, sizeof(to)), "sendto");
	return 0;
}
