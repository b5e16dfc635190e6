/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs small scripts of system calls: what a workload of the tests does.
 *
 *   act serve           each line of standard input is a script, which runs in a process of its own
 *   act script WORD...  one script
 *   act status VERB...  one statement; exits with its status, 1 if it failed
 *   act true            nothing
 *
 * A script is statements with a lone `;` between them, a statement a verb and its words. Each statement prints its verb and
 * what came of it: `ok`, the name of an errno, or `status N`. The statements go on whatever comes; who reads them judges.
 * `serve` prints a line with a dot when all that a script has started has ended.
 *
 * Statements can change who and where the process is (unshare, chroot, fork, thread, ...): the rest of the script runs there.
 */
#include "act.h"
#include <pthread.h>
#include <stdarg.h>
#include <sys/prctl.h>

#define MAX_WORDS 256
#define SECONDS_FOR_A_SCRIPT 120

int held = -1;
const char *self;

static const struct verb *const all_verbs[] = {
	file_verbs, mount_verbs, program_verbs, socket_verbs, uring_verbs, race_verbs, flood_verbs,
};

static void say(const char *format, ...)
{
	char line[512];
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	if (write(1, line, n) != n)
		_exit(99);
}

void note(const char *name, long value)
{
	say("= %s %ld\n", name, value);
}

static void result(const char *verb, long value)
{
	if (value < 0)
		say("%s %s\n", verb, strerrorname_np(errno));
	else if (value)
		say("%s status %ld\n", verb, value);
	else
		say("%s ok\n", verb);
}

static act *verb_named(const char *name)
{
	for (size_t i = 0; i < sizeof(all_verbs) / sizeof(*all_verbs); i++)
		for (const struct verb *v = all_verbs[i]; v->name; v++)
			if (!strcmp(v->name, name))
				return v->run;
	return NULL;
}

/* The parent of a process that goes on with the script has nothing more to do. */
static void wait_and_leave(pid_t child)
{
	waitpid(child, NULL, 0);
	_exit(0);
}

static void run(char **words);

static void *run_in_thread(void *words)
{
	run(words);
	_exit(0);
}

static pid_t clone_into(const char *cgroup)
{
	struct {
		__u64 flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size,
			cgroup;
	} arguments = { .flags = 0x200000000ull /* CLONE_INTO_CGROUP */, .exit_signal = SIGCHLD };

	arguments.cgroup = open(cgroup, O_RDONLY | O_DIRECTORY);
	return syscall(SYS_clone3, &arguments, sizeof(arguments));
}

/* A statement that decides where the script goes on; `rest` is what follows it. False if it is none. */
static int change_course(char **words, char **rest)
{
	pthread_t thread;
	pid_t child = 0;

	if (!strcmp(words[0], "fork")) {
		child = fork();
	} else if (!strcmp(words[0], "doublefork")) {
		/* the grandchild goes on only when its parent has gone */
		int gone[2];
		char byte;

		if (pipe(gone))
			_exit(98);
		child = fork();
		if (!child && fork())
			_exit(0);
		if (!child) {
			close(gone[1]);
			while (read(gone[0], &byte, 1) > 0)
				;
		}
		close(gone[1]);
	} else if (!strcmp(words[0], "cgroup-clone")) {
		child = clone_into(words[1]);
	} else if (!strcmp(words[0], "thread")) {
		result(words[0], 0); /* before the thread can end the process */
		if (pthread_create(&thread, NULL, run_in_thread, rest))
			_exit(98);
		for (;;)
			pause();
	} else if (!strcmp(words[0], "reexec")) {
		char *arguments[MAX_WORDS + 2] = { (char *)self, "script" };

		for (int i = 0; i < MAX_WORDS - 1 && rest[i]; i++)
			arguments[i + 2] = rest[i];
		result(words[0], 0);
		execv(words[1] ? words[1] : self, arguments);
		child = -1;
	} else {
		return 0;
	}
	if (child > 0)
		wait_and_leave(child);
	result(words[0], child);
	return 1;
}

static void run(char **words)
{
	while (words[0]) {
		char **rest = words;
		act *verb;

		while (*rest && strcmp(*rest, ";"))
			rest++;
		if (*rest)
			*rest++ = NULL;
		if (!strcmp(words[0], "vfork")) { /* here, as its caller must not return */
			pid_t child = vfork();

			if (child > 0)
				wait_and_leave(child);
			result(words[0], child);
		} else if (!change_course(words, rest)) {
			verb = verb_named(words[0]);
			if (verb)
				result(words[0], verb(words + 1));
			else
				say("%s unknown\n", words[0]);
		}
		words = rest;
	}
}

static void split(char *line, char **words)
{
	int n = 0;

	for (char *word = strtok(line, " \n"); word && n < MAX_WORDS - 1; word = strtok(NULL, " \n"))
		words[n++] = word;
	words[n] = NULL;
}

static int serve(void)
{
	static char line[65536];

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	while (fgets(line, sizeof(line), stdin)) {
		char *words[MAX_WORDS];

		if (fork() == 0) {
			alarm(SECONDS_FOR_A_SCRIPT);
			split(line, words);
			run(words);
			_exit(0);
		}
		while (wait(NULL) > 0 || errno != ECHILD)
			;
		say(".\n");
	}
	return 0;
}

int main(int argc, char **argv)
{
	static char path[4096];

	self = path;
	if (readlink("/proc/self/exe", path, sizeof(path) - 1) < 0)
		self = argv[0];
	if (argc > 1 && !strcmp(argv[1], "serve"))
		return serve();
	if (argc > 1 && !strcmp(argv[1], "script"))
		run(argv + 2);
	if (argc > 2 && !strcmp(argv[1], "status"))
		return verb_named(argv[2])(argv + 3) != 0;
	return 0;
}
