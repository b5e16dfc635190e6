/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames read and written below the network stack, by a packet socket.
 *
 * Neither the address nor the protocol is known to the socket; firewalls on the machine do not see what it sends.
 *
 * ---
 * tries: [D4]
 * breaks: {network: {matchProtocols: [{protocol: packet}]}}
 * wins: said
 * may_lack: packet sockets
 */
#include "attack.h"
#include <net/if.h>
#include <netpacket/packet.h>

int main(void)
{
	struct sockaddr_ll loop = { .sll_family = AF_PACKET, .sll_protocol = htons(0x0800) };
	int s = socket(AF_PACKET, SOCK_DGRAM, htons(0x0800));

	if (s < 0 && errno == EAFNOSUPPORT)
		return lacking("the kernel has no packet sockets");
	must(s, "socket");
	loop.sll_ifindex = if_nametoindex("lo");
	must(bind(s, (struct sockaddr *)&loop, sizeof(loop)), "bind");
	return won();
}
