/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A service's unix socket, whose path is blocked like any file's, connected to.
 *
 * connect(2) to a path is no open. Behind such sockets (docker.sock, containerd.sock) there is somebody who does whatever is
 * asked for, unconfined.
 *
 * ---
 * tries: [D4]
 * rule: tree
 * wins: secret
 * outside: exec python3 -ISB "$HERE/outside/service.py" "$V" "$O"
 */
#include "attack.h"
#include <sys/un.h>

int main(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "socket" };
	int s = socket(AF_UNIX, SOCK_STREAM, 0);

	must(chdir(getenv("V")), "chdir");
	must(connect(s, (struct sockaddr *)&name, sizeof(name)), "connect");
	return show(s);
}
