/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A socket to the hypervisor (vsock), where all sockets are blocked.
 *
 * What goes this way passes no network device and no firewall.
 *
 * ---
 * tries: [D4]
 * breaks: {network: {matchProtocols: [{protocol: all}]}}
 * wins: said
 * may_lack: vsock
 */
#include "attack.h"

int main(void)
{
	int s = socket(AF_VSOCK, SOCK_STREAM, 0);

	if (s < 0 && errno == EAFNOSUPPORT)
		return lacking("the kernel has no vsock");
	must(s, "socket");
	return won();
}
