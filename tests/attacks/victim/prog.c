/* SPDX-License-Identifier: Apache-2.0 */
/* The program that must not run. */
#include <stdio.h>

int main(void)
{
	puts("the program ran");
	return 0;
}
