/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's own pen: process accounting written into a file that must not be changed.
 *
 * acct(2) hands the kernel a path, and the kernel writes there for everybody who ends.
 *
 * ---
 * tries: [own]
 * source: acct(2), https://man7.org/linux/man-pages/man2/acct.2.html
 * rule: fixed
 * lies_on: tmpfs
 * wins: changed
 */
#include "attack.h"

int main(void)
{
	must(syscall(SYS_acct, V("secret")), "acct");
	if (!fork())
		_exit(0);
	wait(NULL);
	syscall(SYS_acct, NULL);
	return 0;
}
