/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The blocked file read by a process whose parents have all ended.
 *
 * After a double fork the process is a child of process 1, and who goes by parents finds nobody.
 *
 * ---
 * tries: [B7]
 * rule: secret
 * wins: secret
 */
#include "attack.h"

int main(void)
{
	int gone[2];
	char byte;

	must(pipe(gone), "pipe");
	if (fork()) {
		close(gone[1]);
		return 0;
	}
	setsid();
	if (fork())
		_exit(0);
	close(gone[1]);
	while (read(gone[0], &byte, 1) > 0)
		;
	return show(open(V("secret"), O_RDONLY));
}
