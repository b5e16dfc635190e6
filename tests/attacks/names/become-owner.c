/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file that only its owner may read, read by root, who becomes the owner for a moment.
 *
 * Who the owner is goes by a number, and root can take any.
 *
 * ---
 * tries: [own]
 * source: setfsuid(2), https://man7.org/linux/man-pages/man2/setfsuid.2.html
 * breaks: {file: {matchPaths: [{path: "{v}/secret", ownerOnly: true}]}}
 * before: chown 1234:1234 "$V/secret"
 * beyond: Owners and terminals
 * wins: secret
 */
#include "attack.h"
#include <sys/fsuid.h>

int main(void)
{
	setfsuid(1234);
	return show(open(V("secret"), O_RDONLY));
}
