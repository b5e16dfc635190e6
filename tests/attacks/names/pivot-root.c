/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The blocked file's directory made the root of a mount namespace by pivot_root.
 *
 * This is what container runtimes do themselves: afterwards the old root, and with it every path of the policy, is gone.
 *
 * ---
 * tries: [A9]
 * rule: secret
 * wins: secret
 */
#include "attack.h"

int main(void)
{
	must(unshare(CLONE_NEWNS), "unshare");
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "mount");
	must(mount(getenv("V"), getenv("V"), NULL, MS_BIND, NULL), "bind");
	must(chdir(getenv("V")), "chdir");
	must(syscall(SYS_pivot_root, ".", "."), "pivot_root");
	must(umount2(".", MNT_DETACH), "umount");
	return show(open("/secret", O_RDONLY));
}
