/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The blocked file and another one exchanged in one step.
 *
 * renameat2 with RENAME_EXCHANGE moves two names at a time: who looks at the first path only lets the second one out.
 *
 * ---
 * tries: [A4]
 * rule: secret
 * wins: secret
 * by: [exchange, ProtectedPath]
 */
#include "attack.h"

int main(void)
{
	close(open(O("other"), O_CREAT | O_WRONLY, 0644));
	if (renameat2(AT_FDCWD, O("other"), AT_FDCWD, V("secret"), RENAME_EXCHANGE))
		renameat2(AT_FDCWD, V("secret"), AT_FDCWD, O("other"), RENAME_EXCHANGE);
	return show(open(O("other"), O_RDONLY));
}
