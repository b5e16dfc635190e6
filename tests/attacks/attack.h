/* SPDX-License-Identifier: Apache-2.0 */
/* What attacks in C share. */
#ifndef ATTACK_H
#define ATTACK_H

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <netinet/in.h>

#define LACKING 77

/* A path in the vault, and one in the open directory; each stays valid for a few calls. */
static inline const char *below(const char *variable, const char *name)
{
	static char paths[8][4096];
	static int next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", getenv(variable), name);
	return path;
}
#define V(name) below("V", name)
#define O(name) below("O", name)

/* Say how it went, and end: an attack that fails says what at. */
static inline int failed(const char *what)
{
	printf("%s: %s\n", what, strerrorname_np(errno));
	fflush(stdout);
	exit(1);
}

/* End because the kernel lacks what is tried. */
static inline int lacking(const char *what)
{
	printf("lacking: %s\n", what);
	fflush(stdout);
	exit(LACKING);
}

static inline int won(void)
{
	puts("won");
	fflush(stdout);
	return 0;
}

static inline void must(long result, const char *what)
{
	if (result < 0)
		failed(what);
}

/* Show what can be read from a descriptor. */
static inline int show(int fd)
{
	char text[4096];
	long n;

	must(fd, "open");
	n = read(fd, text, sizeof(text));
	must(n, "read");
	fwrite(text, 1, n, stdout);
	fflush(stdout);
	return 0;
}

/* The machine's port for what gets out. */
static inline struct sockaddr_in outside(void)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons(atoi(getenv("PORT"))),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

/* What shows there who got out. */
static inline const char *word(void)
{
	return getenv("WORD");
}

#endif
