/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The blocked file by openat2, looked up as if its directory were the root.
 *
 * RESOLVE_IN_ROOT makes every path begin at a directory that the caller holds.
 *
 * ---
 * tries: [A9]
 * rule: secret
 * wins: secret
 */
#include "attack.h"

int main(void)
{
	struct {
		uint64_t flags, mode, resolve;
	} how = { .flags = O_RDONLY, .resolve = 0x10 /* RESOLVE_IN_ROOT */ };
	int directory = open(getenv("V"), O_PATH);

	must(directory, "O_PATH");
	return show(syscall(SYS_openat2, directory, "/../secret", &how, sizeof(how)));
}
