/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file that must not be changed, opened for reading only, with O_TRUNC.
 *
 * The access mode says reading, so that a check of the mode finds nothing wrong; the kernel cuts the file all the same.
 *
 * ---
 * tries: [A12]
 * rule: fixed
 * wins: changed
 */
#include "attack.h"

int main(void)
{
	must(open(V("secret"), O_RDONLY | O_TRUNC), "open");
	return 0;
}
