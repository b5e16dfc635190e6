/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file that must not be changed, cut by truncate(2), which opens nothing.
 *
 * It takes a path and opens nothing, so that no open can be judged.
 *
 * ---
 * tries: [A12]
 * rule: fixed
 * wins: changed
 */
#include "attack.h"

int main(void)
{
	must(truncate(V("secret"), 0), "truncate");
	return 0;
}
