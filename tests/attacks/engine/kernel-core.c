/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's memory by /proc/kcore: in it lie the pages of all files that were read lately.
 *
 * Nothing can be changed by it, so that it is no matter of integrity. But a blocked file's content is a page like any other.
 *
 * ---
 * tries: [D6, own]
 * source: proc_kcore(5), https://man7.org/linux/man-pages/man5/proc_kcore.5.html
 * wins: said
 */
#include "attack.h"

int main(void)
{
	char head[64];
	int fd = open("/proc/kcore", O_RDONLY);

	must(fd, "open");
	must(read(fd, head, sizeof(head)), "read");
	return won();
}
