/* SPDX-License-Identifier: Apache-2.0 */
/*
 * So many processes at a time that whatever remembers them runs full.
 *
 * Tables have a size. A task for which there was no room must not be one of whom no rule speaks (Tracee issue 3698).
 *
 * ---
 * tries: [E4]
 * rule: secret
 * wins: secret
 */
#include "attack.h"

int main(void)
{
	int gate[2];
	char byte;

	must(pipe(gate), "pipe");
	for (int i = 0; i < 100; i++) {
		pid_t child = fork();

		if (child < 0)
			break;
		if (!child) {
			close(gate[1]);
			if (read(gate[0], &byte, 1) < 0)
				_exit(1);
			_exit(show(open(V("secret"), O_RDONLY)));
		}
	}
	close(gate[1]);
	while (wait(NULL) > 0)
		;
	return 0;
}
