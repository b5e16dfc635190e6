/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's memory and the machine's ports, by /dev/mem and /dev/port.
 *
 * What decides lies in that memory.
 *
 * ---
 * tries: [D6]
 * wins: said
 */
#include "attack.h"

int main(void)
{
	if (open("/dev/mem", O_RDWR) < 0 && open("/dev/port", O_RDWR) < 0)
		return failed("open");
	return won();
}
