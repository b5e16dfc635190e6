/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process outside of the workload traced, so that it does what the attacker may not.
 *
 * Who shares the machine's process ids and is root can stop any process, write into its memory, and have it open the file.
 *
 * ---
 * tries: [B7, C2]
 * rule: secret
 * by: [traced-outsider, HauberkSelfProtection]
 * wins: said
 * outside: echo $$ > "$O/starting"; mv "$O/starting" "$O/ready"; while :; do sleep 1000; done
 */
#include "attack.h"
#include <sys/ptrace.h>
#include <sys/user.h>

int main(void)
{
	int fd = open(O("ready"), O_RDONLY);
	struct user_regs_struct r;
	char text[32] = "";
	pid_t outsider;

	must(read(fd, text, sizeof(text) - 1), "read");
	outsider = atoi(text);
	must(ptrace(PTRACE_ATTACH, outsider, 0, 0), "PTRACE_ATTACH");
	waitpid(outsider, NULL, 0);
	must(ptrace(PTRACE_GETREGS, outsider, 0, &r), "PTRACE_GETREGS");
	must(ptrace(PTRACE_POKEDATA, outsider, r.rsp - 4096, 0x1234), "PTRACE_POKEDATA");
	ptrace(PTRACE_DETACH, outsider, 0, 0);
	return won();
}
