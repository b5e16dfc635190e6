/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Another kernel put in place of this one: kexec.
 *
 * Here the call only takes back what may have been prepared; it is refused, or not, for the same reason.
 *
 * ---
 * tries: [D6]
 * wins: said
 */
#include "attack.h"

int main(void)
{
	must(syscall(SYS_kexec_load, 0, 0, NULL, 0), "kexec_load");
	return won();
}
