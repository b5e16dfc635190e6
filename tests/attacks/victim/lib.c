/* SPDX-License-Identifier: Apache-2.0 */
/* The library that must not be loaded. */
#include <unistd.h>

__attribute__((constructor)) static void start(void)
{
	const char text[] = "the library ran\n";

	if (write(1, text, sizeof(text) - 1) < 0)
		_exit(1);
}
