/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's own pen: a core dump into a directory in which nothing may be made.
 *
 * The file is made by the kernel, on behalf of a process that is dying.
 *
 * ---
 * tries: [C9]
 * rule: fixed
 * wins: changed
 */
#include "attack.h"
#include <sys/resource.h>

int main(void)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };

	must(setrlimit(RLIMIT_CORE, &all), "setrlimit");
	must(chdir(getenv("V")), "chdir");
	if (!fork())
		abort();
	wait(NULL);
	return 0;
}
