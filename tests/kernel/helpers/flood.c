/* SPDX-License-Identifier: Apache-2.0 */
/* Many violations at once, from several tasks and programs. */
#include "act.h"
#include <time.h>

#define MAX_TASKS 32

/* The ways in which an object is tried; each is a violation of its own. */
static long try(int way, const char *directory, long object)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s/%ld", directory, way == 3 ? "new" : "kept", object);
	if (way == 2)
		return unlink(path);
	if (way == 3)
		return mkdir(path, 0755);
	fd = open(path, way == 1 ? O_WRONLY : O_RDONLY);
	return fd < 0 ? -1 : close(fd);
}

/* deny TRIES OBJECTS DIRECTORY: status 0 if each try was refused. Goes through the objects in one way, then in the next. */
static long verb_deny(char **w)
{
	long tries = atol(w[0]), objects = atol(w[1]);

	alarm(0);
	for (long i = 0; i < tries; i++)
		if (try(i / objects % 4, w[2], i % objects) != -1 || errno != EACCES)
			return 1;
	return 0;
}

/* look FILE...: open them until killed. */
static long verb_look(char **w)
{
	alarm(0);
	for (char **file = w;; file = file[1] ? file + 1 : w) {
		int fd = open(*file, O_RDONLY);

		if (fd < 0)
			return -1;
		close(fd);
	}
}

/*
 * flood TASKS TRIES OBJECTS DIRECTORY LOOKERS FILE PROGRAM...: TASKS tasks, by the programs in turn, do `deny` while
 * LOOKERS tasks do `look`. Notes how many tasks had something that was not refused, and how long it took.
 */
static long verb_flood(char **w)
{
	long tasks = atol(w[0]), lookers = atol(w[4]), programs = 0, failed = 0;
	pid_t task[MAX_TASKS], looker[MAX_TASKS];
	struct timespec begin, end;

	alarm(0);
	while (w[6 + programs])
		programs++;
	if (tasks > MAX_TASKS || lookers > MAX_TASKS || !programs)
		return 1;
	for (long i = 0; i < lookers; i++) {
		looker[i] = fork();
		if (!looker[i])
			_exit(verb_look((char *[]){ w[5], NULL }));
	}
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (long i = 0; i < tasks; i++) {
		char *program = w[6 + i % programs];

		task[i] = fork();
		if (!task[i]) {
			execv(program, (char *[]){ program, "status", "deny", w[1], w[2], w[3], NULL });
			_exit(1);
		}
	}
	for (long i = 0; i < tasks; i++) {
		int status;

		failed += waitpid(task[i], &status, 0) < 0 || status != 0;
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	for (long i = 0; i < lookers; i++) {
		kill(looker[i], SIGKILL);
		waitpid(looker[i], NULL, 0);
	}
	note("failed", failed);
	note("milliseconds", (end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1000000);
	return 0;
}

const struct verb flood_verbs[] = {
	{ "deny", verb_deny }, { "look", verb_look }, { "flood", verb_flood }, { NULL, NULL }
};
