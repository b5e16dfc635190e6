/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file that must not be changed, written to by copy_file_range and by splice.
 *
 * Neither has a buffer in user memory, and engines that watch write(2) see nothing.
 *
 * ---
 * tries: [A12]
 * rule: fixed
 * wins: changed
 */
#include "attack.h"

int main(void)
{
	int from = open(V("prog"), O_RDONLY), to = open(V("secret"), O_WRONLY), through[2];

	must(from, "open for reading");
	must(to, "open for writing");
	if (copy_file_range(from, NULL, to, NULL, 100, 0) == 100)
		return 0;
	must(pipe(through), "pipe");
	must(splice(from, NULL, through[1], NULL, 100, 0), "splice");
	must(splice(through[0], NULL, to, NULL, 100, 0), "splice");
	return 0;
}
