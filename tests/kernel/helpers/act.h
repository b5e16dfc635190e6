/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of `act` share; see act.c. */
#ifndef ACT_H
#define ACT_H

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

/* A statement: 0 is ok, -1 a refusal with errno, another number an exit status. Words end with NULL. */
typedef long act(char **words);

struct verb {
	const char *name;
	act *run;
};

extern const struct verb file_verbs[], mount_verbs[], program_verbs[], socket_verbs[], uring_verbs[], race_verbs[],
	flood_verbs[];

/* The descriptor that statements hand on: `opath`, `hold`, `socket` and others set it, `readat`, `reopen` and others use it. */
extern int held;
/* This program's own path, to execute it again. */
extern const char *self;

/* A line of the result that is not a statement's: a name and a number. */
void note(const char *name, long value);
/* 0 if at least one byte can be read; closes the descriptor. -1 as it came. */
long read_from(int fd);
/* Keep a descriptor for later statements. */
long hold(int fd);
/* Path of the held descriptor in /proc, with something behind. */
const char *held_path(const char *below);
/* 0, -1 with the errno of a failed exec, or the exit status; runs `execute` in a child. */
long in_child(long (*execute)(void *), void *argument);

#endif
