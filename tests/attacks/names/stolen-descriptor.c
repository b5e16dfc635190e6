/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The blocked file, opened by somebody outside, and its descriptor taken from there.
 *
 * pidfd_getfd duplicates a descriptor of another process; who shares process ids and is root may do so.
 *
 * ---
 * tries: [A7, C2]
 * rule: secret
 * by: [stolen-descriptor, HauberkSelfProtection]
 * wins: secret
 * outside: exec 5<"$V/secret"; echo $$ > "$O/starting"; mv "$O/starting" "$O/ready"; while :; do sleep 1000; done
 */
#include "attack.h"

int main(void)
{
	char text[32] = "";
	int fd = open(O("ready"), O_RDONLY), process;

	must(read(fd, text, sizeof(text) - 1), "read");
	process = syscall(SYS_pidfd_open, atoi(text), 0);
	must(process, "pidfd_open");
	return show(syscall(SYS_pidfd_getfd, process, 5, 0));
}
