/* SPDX-License-Identifier: Apache-2.0 */
/* Programs: exec in its forms, executable mappings, credentials. */
#include "act.h"
#include <sys/mman.h>
#include <sys/prctl.h>

long in_child(long (*execute)(void *), void *argument)
{
	int report[2], failed = 0, status;
	pid_t child;

	if (pipe2(report, O_CLOEXEC))
		return -1;
	child = fork();
	if (child < 0)
		return -1;
	if (!child) {
		execute(argument);
		failed = errno;
		if (write(report[1], &failed, sizeof(failed)) < 0)
			_exit(98);
		_exit(97);
	}
	close(report[1]);
	if (read(report[0], &failed, sizeof(failed)) != sizeof(failed))
		failed = 0;
	close(report[0]);
	waitpid(child, &status, 0);
	if (failed) {
		errno = failed;
		return -1;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static long execute_words(void *words)
{
	char **w = words;

	return execv(w[0], w);
}

static long execute_held(void *words)
{
	return syscall(SYS_execveat, held, "", words, environ, AT_EMPTY_PATH);
}

/* What a program says of its failures is of no interest. */
static void hush(void)
{
	int null = open("/dev/null", O_WRONLY);

	if (null >= 0)
		dup2(null, 2);
}

static long verb_execute(char **w)
{
	hush();
	return in_child(execute_words, w);
}
static long verb_execute_held(char **w)
{
	return in_child(execute_held, w);
}
/* In place of this process: only a refusal is seen. */
static long verb_exec(char **w)
{
	return execv(w[0], w);
}
static long verb_setenv(char **w)
{
	return setenv(w[0], w[1], 1);
}
static long verb_setuid(char **w)
{
	return setgid(atoi(w[0])) || setuid(atoi(w[0])) || prctl(PR_SET_DUMPABLE, 1) ? -1 : 0;
}
static long verb_setsid(char **w)
{
	(void)w;
	return setsid() < 0 ? -1 : 0;
}

static long map(const char *path, int first, int then)
{
	int fd = open(path, O_RDONLY);
	void *at;
	long failed;

	if (fd < 0)
		return -1;
	at = mmap(NULL, 4096, first, MAP_PRIVATE, fd, 0);
	close(fd);
	if (at == MAP_FAILED)
		return -1;
	failed = then ? mprotect(at, 4096, then) : 0;
	return failed;
}

static long verb_map_exec(char **w)
{
	return map(w[0], PROT_READ | PROT_EXEC, 0);
}
static long verb_protect_exec(char **w)
{
	return map(w[0], PROT_READ, PROT_READ | PROT_EXEC);
}

/* memfd NAME PROGRAM: hold a copy of the program that lies in memory. */
static long verb_memfd(char **w)
{
	int from = open(w[1], O_RDONLY), to = memfd_create(w[0], 0);
	char part[65536];
	long n;

	if (from < 0 || to < 0)
		return -1;
	while ((n = read(from, part, sizeof(part))) > 0)
		if (write(to, part, n) != n)
			return -1;
	close(from);
	return n < 0 ? -1 : hold(to);
}

/* run OUTPUT PROGRAM WORD...: with its output in a file and nothing to read; waits for it alone. */
static long verb_run(char **w)
{
	int out = open(w[0], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), in = open("/dev/null", O_RDONLY);
	pid_t child;
	int status;

	if (out < 0 || in < 0)
		return -1;
	child = fork();
	if (!child) {
		dup2(in, 0);
		dup2(out, 1);
		dup2(out, 2);
		execv(w[1], w + 1);
		_exit(127);
	}
	close(out);
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

const struct verb program_verbs[] = {
	{ "execute", verb_execute },
	{ "execute-held", verb_execute_held },
	{ "run", verb_run },
	{ "exec", verb_exec },
	{ "setenv", verb_setenv },
	{ "setuid", verb_setuid },
	{ "setsid", verb_setsid },
	{ "map-exec", verb_map_exec },
	{ "protect-exec", verb_protect_exec },
	{ "memfd", verb_memfd },
	{ NULL, NULL },
};
