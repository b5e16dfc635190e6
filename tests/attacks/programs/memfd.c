/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program in memory, executed by its descriptor, where only some programs may run.
 *
 * A memfd has no path, and some engines look for the name `memfd:` only, or for /dev/shm (KubeArmor issue 988 and its preset).
 *
 * ---
 * tries: [B3]
 * breaks:
 *   process:
 *     matchPaths: [{path: "{act}"}, {path: "{self}"}]
 *     action: Allow
 * posture: block
 * by: [DefaultPosture]
 * wins: ran
 */
#include "attack.h"

int main(void)
{
	static char program[1 << 20];
	int from = open(V("prog"), O_RDONLY), to = memfd_create("sh", 0);
	char *arguments[] = { "sh", NULL };
	long n = read(from, program, sizeof(program));

	must(n, "read");
	must(write(to, program, n), "write");
	syscall(SYS_execveat, to, "", arguments, environ, AT_EMPTY_PATH);
	fexecve(to, arguments, environ);
	return failed("execveat");
}
