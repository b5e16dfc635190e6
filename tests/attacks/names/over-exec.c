/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file that one program may not read, opened by another that may, and kept open over the exec.
 *
 * The rule holds for the second program. It opens nothing: the descriptor is there when it begins.
 *
 * ---
 * tries: [A7]
 * breaks: {file: {matchPaths: [{path: "{v}/secret", fromSource: [{path: "{o}/second"}]}]}}
 * before: cp "$SELF" "$O/second"
 * wins: secret
 */
#include "attack.h"

int main(int argc, char **argv)
{
	int fd;

	if (argc > 1)
		return show(20);
	fd = open(V("secret"), O_RDONLY);
	must(fd, "open");
	must(dup2(fd, 20), "dup2");
	execl(O("second"), argv[0], "second", NULL);
	return failed("execl");
}
