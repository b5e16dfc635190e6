/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One operation, many times, and what one of them takes in nanoseconds: with QEMU's -icount shift=0 that is the number of
 * instructions that the guest executed. Repeats until two rounds agree to within 0.5 %, since a fresh guest runs slower.
 *
 *   micro open PATH | openwrite PATH | pwrite PATH | pread PATH | stat PATH | exec PROGRAM | socket | connect | create PATH
 *   micro begun      prints the monotonic clock in nanoseconds at once, then waits for the end of its input
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *path;
static int fd;

static void check(int failed, const char *what)
{
	if (failed) {
		perror(what);
		exit(2);
	}
}

static void do_open(void)
{
	int f = open(path, O_RDONLY);

	check(f < 0, path);
	close(f);
}

static void do_openwrite(void)
{
	int f = open(path, O_WRONLY);

	check(f < 0, path);
	close(f);
}

static void do_pwrite(void)
{
	check(pwrite(fd, "x", 1, 0) != 1, "pwrite");
}

static void do_pread(void)
{
	char c;

	check(pread(fd, &c, 1, 0) != 1, "pread");
}

static void do_stat(void)
{
	struct stat s;

	check(stat(path, &s), path);
}

static void do_socket(void)
{
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	check(s < 0, "socket");
	close(s);
}

static void do_connect(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	check(s < 0 || connect(s, (struct sockaddr *)&to, sizeof(to)), "connect");
	close(s);
}

static void do_create(void)
{
	int f = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);

	check(f < 0, path);
	close(f);
	check(unlink(path), path);
}

static void do_exec(void)
{
	int status;
	pid_t child = vfork();

	if (child == 0) {
		execl(path, path, "nothing", NULL);
		_exit(3);
	}
	check(child < 0 || waitpid(child, &status, 0) != child || status, "exec");
}

static const struct {
	const char *name;
	void (*run)(void);
	int times;
} operations[] = {
	{ "open", do_open, 2000 },	 { "openwrite", do_openwrite, 2000 }, { "pwrite", do_pwrite, 4000 },
	{ "pread", do_pread, 4000 },	 { "stat", do_stat, 2000 },	      { "socket", do_socket, 2000 },
	{ "connect", do_connect, 1000 }, { "create", do_create, 1000 },	      { "exec", do_exec, 200 },
};

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

int main(int argc, char **argv)
{
	double last = 0, each = 0;

	if (argc < 2)
		return 0; /* what `exec` runs */
	if (!strcmp(argv[1], "nothing"))
		return 0;
	if (!strcmp(argv[1], "begun")) {
		printf("%llu\n", (unsigned long long)now());
		fflush(stdout);
		while (getchar() != EOF)
			;
		return 0;
	}
	path = argc > 2 ? argv[2] : "";
	for (unsigned i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
		if (strcmp(argv[1], operations[i].name))
			continue;
		if (!strncmp(argv[1], "p", 1))
			check((fd = open(path, O_RDWR)) < 0, path);
		for (int round = 0; round < 60; round++) {
			uint64_t begin = now();

			for (int n = 0; n < operations[i].times; n++)
				operations[i].run();
			each = (double)(now() - begin) / operations[i].times;
			if (round > 2 && each < last * 1.005 && each > last * 0.995) {
				printf("%.0f\n", each);
				return 0;
			}
			last = each;
		}
		fprintf(stderr, "%s: no two rounds agreed\n", argv[1]);
		return 4;
	}
	return 1;
}
