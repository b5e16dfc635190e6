/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hauberk's process killed by a descriptor: F_SETOWN and F_SETSIG let the kernel send any signal when data comes in.
 *
 * It is the kernel that sends, and it asks other questions than kill(2) does.
 *
 * ---
 * tries: [E1, own]
 * source: fcntl(2), https://man7.org/linux/man-pages/man2/fcntl.2.html (F_SETSIG)
 * wins: dead
 */
#include "attack.h"

int main(void)
{
	int ends[2];

	must(pipe(ends), "pipe");
	must(fcntl(ends[0], F_SETOWN, atoi(getenv("AGENT"))), "F_SETOWN");
	must(fcntl(ends[0], F_SETSIG, SIGKILL), "F_SETSIG");
	must(fcntl(ends[0], F_SETFL, O_ASYNC | O_NONBLOCK), "O_ASYNC");
	must(write(ends[1], "x", 1), "write");
	usleep(100000);
	return 0;
}
