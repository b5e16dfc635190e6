/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file made without a name and then linked into a directory in which nothing may be made.
 *
 * O_TMPFILE makes an inode that has no name, so that there is no path to compare; linkat names it later.
 *
 * ---
 * tries: [A9]
 * rule: fixed
 * lies_on: tmpfs
 * wins: changed
 */
#include "attack.h"

int main(void)
{
	int fd = open(getenv("O"), O_TMPFILE | O_RDWR, 0644);
	char path[64];

	must(fd, "O_TMPFILE");
	must(write(fd, "mine", 4), "write");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	must(linkat(AT_FDCWD, path, AT_FDCWD, V("new"), AT_SYMLINK_FOLLOW), "linkat");
	return 0;
}
