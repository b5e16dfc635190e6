/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The blocked file, opened by somebody outside and handed in over a unix socket.
 *
 * The confined task opens nothing. It gets an open file as a message (Vali-Cyber's some_weird_syscalls).
 *
 * ---
 * tries: [A7]
 * rule: secret
 * wins: secret
 * outside: exec python3 -ISB "$HERE/outside/hand_out.py" "$V/secret" "$O"
 */
#include "attack.h"
#include <sys/un.h>

int main(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "socket" };
	char byte, control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec part = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};
	int s = socket(AF_UNIX, SOCK_STREAM, 0), file;
	struct cmsghdr *head;

	must(connect(s, (struct sockaddr *)&name, sizeof(name)), "connect");
	must(recvmsg(s, &message, 0), "recvmsg");
	head = CMSG_FIRSTHDR(&message);
	if (!head || head->cmsg_len < CMSG_LEN(sizeof(int)))
		return failed("no descriptor came");
	memcpy(&file, CMSG_DATA(head), sizeof(file));
	return show(file);
}
