/* SPDX-License-Identifier: Apache-2.0 */
/* A library that shows that it was loaded: the process ends with status 42. */
#include <unistd.h>

__attribute__((constructor)) static void spring(void)
{
	_exit(42);
}
