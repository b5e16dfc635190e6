/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file made where nothing may be made, by creat(2), and one cut by the oldest form of open.
 *
 * Both still exist beside openat, and no library uses them.
 *
 * ---
 * tries: [D2]
 * rule: fixed
 * wins: changed
 */
#include "attack.h"

int main(void)
{
	int fd = syscall(SYS_creat, V("new"), 0644);

	if (fd < 0)
		fd = syscall(SYS_open, V("secret"), O_WRONLY | O_TRUNC, 0);
	must(fd, "creat");
	return 0;
}
