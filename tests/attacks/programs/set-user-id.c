/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The blocked file read by a set-user-ID program that an unprivileged user starts.
 *
 * The exec changes whose rights the task has: to some engines it is then somebody else.
 *
 * ---
 * tries: [B6]
 * rule: secret
 * before: cp /usr/bin/cat "$O/cat"; chown 0:0 "$O/cat"; chmod 4755 "$O/cat"; chmod 600 "$V/secret"
 * wins: secret
 */
#include "attack.h"

int main(void)
{
	must(setresuid(65534, 65534, 65534), "setresuid");
	execl(O("cat"), "cat", V("secret"), NULL);
	return failed("execl");
}
