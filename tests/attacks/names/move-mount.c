/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The directory mounted elsewhere by the new calls: open_tree and move_mount.
 *
 * These pass none of the hooks of mount(2); before move_mount the tree is attached nowhere and the file in it has no path at
 * all.
 *
 * ---
 * tries: [A5]
 * rule: secret
 * wins: secret
 */
#include "attack.h"

int main(void)
{
	int tree, file;

	must(unshare(CLONE_NEWNS), "unshare");
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "mount");
	tree = syscall(SYS_open_tree, AT_FDCWD, getenv("V"), 1 /* OPEN_TREE_CLONE */);
	must(tree, "open_tree");
	file = openat(tree, "secret", O_RDONLY);
	if (file >= 0)
		return show(file);
	must(mkdir(O("mnt"), 0755), "mkdir");
	must(syscall(SYS_move_mount, tree, "", AT_FDCWD, O("mnt"), 4 /* MOVE_MOUNT_F_EMPTY_PATH */), "move_mount");
	return show(open(O("mnt/secret"), O_RDONLY));
}
