/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's crypto by a socket of the family AF_ALG, where all sockets are blocked.
 *
 * The family has neither addresses nor a network, so that lists of protocols tend to leave it out; exploits like it, since it
 * leads deep into the kernel.
 *
 * ---
 * tries: [D4]
 * breaks: {network: {matchProtocols: [{protocol: all}]}}
 * wins: said
 * may_lack: AF_ALG
 */
#include "attack.h"
#include <linux/if_alg.h>

int main(void)
{
	int s = socket(AF_ALG, SOCK_SEQPACKET, 0);

	if (s < 0 && errno == EAFNOSUPPORT)
		return lacking("the kernel has no AF_ALG");
	must(s, "socket");
	return won();
}
