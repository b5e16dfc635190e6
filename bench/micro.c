/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One operation, many times, and what one of them takes in nanoseconds: with QEMU's -icount shift=0 that is the number of
 * instructions that the guest executed. A fresh guest runs slower, so rounds are made until two agree to within 0.5 %; of
 * the last of them and four more the median is printed.
 *
 *   micro open PATH | openwrite PATH | pwrite PATH | pread PATH | stat PATH | mmap PATH | mmapexec PATH | create PATH |
 *         rename PATH | exec PROGRAM | script TEXT | socket | connect | http PATH
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
#include <sys/mman.h>
#include <sys/resource.h>
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

/*
 * What the kernel makes for an operation is given back in batches, while nobody counts: freed memory comes back later and in
 * another order, and by how much of it the next ones cost differs from boot to boot by as much as is to be measured.
 */
#define BATCH 1500

static int opened[BATCH];
static void *mapped[BATCH];
static unsigned held;

static void do_socket(void)
{
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	check(s < 0, "socket");
	opened[held++] = s;
}

static void do_connect(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr = { htonl(INADDR_LOOPBACK) } };

	do_socket();
	check(connect(opened[held - 1], (struct sockaddr *)&to, sizeof(to)), "connect");
}

static void close_all(void)
{
	while (held)
		close(opened[--held]);
}

static const char *numbered(unsigned number)
{
	static char name[256];

	snprintf(name, sizeof(name), "%s%04u", path, number);
	return name;
}

static void do_create(void)
{
	int f = open(numbered(held++), O_CREAT | O_EXCL | O_WRONLY, 0600);

	check(f < 0, path);
	close(f);
}

static void unlink_all(void)
{
	while (held)
		check(unlink(numbered(--held)), path);
}

static void do_rename(void)
{
	static char other[256];
	static int there;

	if (!other[0]) {
		snprintf(other, sizeof(other), "%s.moved", path);
		close(open(path, O_CREAT | O_WRONLY, 0600));
	}
	check(there ? rename(other, path) : rename(path, other), "rename");
	there = !there;
}

static void map(int protection)
{
	mapped[held] = mmap(NULL, 4096, protection, MAP_PRIVATE, fd, 0);
	check(mapped[held++] == MAP_FAILED, "mmap");
}

static void unmap_all(void)
{
	while (held)
		munmap(mapped[--held], 4096);
}

static void do_mmap(void)
{
	map(PROT_READ);
}

static void do_mmapexec(void)
{
	map(PROT_READ | PROT_EXEC);
}

static void run(const char *program, const char *first, const char *second)
{
	int status;
	pid_t child = vfork();

	if (child == 0) {
		execl(program, program, first, second, NULL);
		_exit(3);
	}
	check(child < 0 || waitpid(child, &status, 0) != child || status, program);
}

static void do_exec(void)
{
	run(path, "nothing", NULL);
}

static void do_script(void)
{
	run("/bin/sh", "-c", path);
}

/* One request of a web server here, on a connection of its own. */
static void do_http(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(8080),
				  .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int s = socket(AF_INET, SOCK_STREAM, 0);
	char text[4096];
	int length = snprintf(text, sizeof(text), "GET %s HTTP/1.0\r\n\r\n", path);

	check(s < 0 || connect(s, (struct sockaddr *)&to, sizeof(to)), "connect");
	check(write(s, text, length) != length, "write");
	check(read(s, text, sizeof(text)) < 12 || strncmp(text + 9, "200", 3), "no answer with status 200");
	while (read(s, text, sizeof(text)) > 0)
		;
	close(s);
}

static const struct operation {
	const char *name;
	void (*run)(void);
	int times;
	int opens; /* works on a descriptor of the file */
	void (*undo)(void); /* what a batch has made */
	int counts; /* the undoing too */
} operations[] = {
	{ "open", do_open, 3000 },
	{ "openwrite", do_openwrite, 3000 },
	{ "pwrite", do_pwrite, 8000, 1 },
	{ "pread", do_pread, 8000, 1 },
	{ "stat", do_stat, 3000 },
	{ "mmap", do_mmap, 3000, 1, unmap_all },
	{ "mmapexec", do_mmapexec, 3000, 1, unmap_all },
	{ "socket", do_socket, 3000, 0, close_all },
	{ "connect", do_connect, 3000, 0, close_all },
	{ "create", do_create, 1500, 0, unlink_all, 1 },
	{ "rename", do_rename, 1500 },
	{ "exec", do_exec, 150 },
	{ "script", do_script, 1 },
	{ "http", do_http, 200 },
};

#define LAST 5

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static double round_of(const struct operation *o)
{
	uint64_t begin = now(), pause;

	for (int n = 0; n < o->times; n++) {
		o->run();
		if (held < BATCH)
			continue;
		if (o->counts)
			o->undo();
		pause = now();
		if (!o->counts)
			o->undo();
		usleep(50000);
		begin += now() - pause;
	}
	return (double)(now() - begin) / o->times;
}

int main(int argc, char **argv)
{
	double last = 0, each, kept[LAST];

	if (argc < 2 || !strcmp(argv[1], "nothing"))
		return 0; /* what `exec` runs */
	if (!strcmp(argv[1], "begun")) {
		printf("%llu\n", (unsigned long long)now());
		fflush(stdout);
		while (getchar() != EOF)
			;
		return 0;
	}
	path = argc > 2 ? argv[2] : "";
	check(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ BATCH + 100, BATCH + 100 }), "setrlimit");
	for (unsigned i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
		if (strcmp(argv[1], operations[i].name))
			continue;
		if (operations[i].opens)
			check((fd = open(path, O_RDWR)) < 0, path);
		for (int round = 0; round < 60; round++) {
			each = round_of(&operations[i]);
			if (round > 2 && each < last * 1.005 && each > last * 0.995) {
				kept[0] = each;
				for (int n = 1; n < LAST; n++)
					kept[n] = round_of(&operations[i]);
				qsort(kept, LAST, sizeof(double), ascending);
				printf("%.0f\n", kept[LAST / 2]);
				return 0;
			}
			last = each;
		}
		fprintf(stderr, "%s: no two rounds agreed\n", argv[1]);
		return 4;
	}
	return 1;
}
