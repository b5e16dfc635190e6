/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hole punched into a file that must not be changed.
 *
 * fallocate is no write(2).
 *
 * ---
 * tries: [A12]
 * rule: fixed
 * lies_on: tmpfs
 * wins: changed
 */
#include "attack.h"

int main(void)
{
	int fd = open(V("secret"), O_WRONLY | O_APPEND);

	if (fd < 0)
		fd = open(V("secret"), O_RDWR);
	must(fd, "open");
	must(fallocate(fd, 0, 0, 4096), "fallocate");
	return 0;
}
