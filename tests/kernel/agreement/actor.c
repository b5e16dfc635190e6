/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program of every task in the agreement tests: static, so that running it is one access and no more.
 *
 *   actor hub                   the first: makes four tasks (with and without a terminal, root and not) that serve
 *   actor chain SLOT PROGRAM    runs PROGRAM as a server, which makes this program the one replaced
 *   actor serve SLOT            reads requests from the slot's pipe, answers each with "PID ERRNO"
 *   actor exit                  ends well: what is run only to be run
 *
 * Requests: "run SLOT PROGRAM [PROGRAM]" starts a server in another slot, by way of one exec or two; "do VERB ..." does an
 * access in a child of its own, whose id tells its records from all others; "quit".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Kept clear of what the tests themselves have open. */
#define TERMINALS 600
#define NAMELESS 602 /* the root of a file system that is mounted nowhere: "@" before a path means there */
#define REQUESTS(slot) (610 + 2 * (slot))
#define ANSWERS(slot) (611 + 2 * (slot))

static void answer(int slot, int pid, int error)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%d %d\n", pid, error);

	if (write(ANSWERS(slot), text, n) != n)
		_exit(1);
}

static int dir = AT_FDCWD;

static int failed(long result)
{
	return result < 0 ? errno : 0;
}

static int open_and_close(const char *path, int flags)
{
	return failed(openat(dir, path, flags | O_CLOEXEC, 0666));
}

static int map_executable(const char *path)
{
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return errno;
	return mmap(NULL, 64, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED ? errno : 0;
}

static int use_socket(char **words)
{
	struct sockaddr_in there = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	const struct sockaddr *to = (const struct sockaddr *)&there;
	int fd = socket(atoi(words[1]), atoi(words[2]), atoi(words[3]));

	if (fd < 0)
		return errno;
	if (!strcmp(words[0], "bind"))
		return failed(bind(fd, to, sizeof(there)));
	if (!strcmp(words[0], "listen"))
		return failed(listen(fd, 1));
	there.sin_port = htons(9);
	if (!strcmp(words[0], "connect"))
		return failed(connect(fd, to, sizeof(there)));
	if (!strcmp(words[0], "sendto"))
		return failed(sendto(fd, "x", 1, 0, to, sizeof(there)));
	return 0;
}

/* A call that asks for just this capability, and does no harm if it gets it. */
static int want(int capability)
{
	struct rlimit limit = { 1, 1 };
	int on = 1;

	switch (capability) {
	case 6:
		return failed(setgid(1000));
	case 7:
		return failed(setuid(1000));
	case 8:
		return failed(prctl(PR_CAPBSET_DROP, 40, 0, 0, 0));
	case 12:
		return failed(setsockopt(socket(AF_UNIX, SOCK_DGRAM, 0), SOL_SOCKET, SO_SNDBUFFORCE, &on, sizeof(on)));
	case 16:
		return failed(syscall(SYS_init_module, NULL, 0, ""));
	case 18:
		return failed(chroot("/"));
	case 20:
		return failed(acct(NULL));
	case 21:
		return failed(sethostname("lab", 3));
	case 22:
		return failed(syscall(SYS_reboot, 0, 0, 0, 0));
	case 23:
		return failed(setpriority(PRIO_PROCESS, 0, -1));
	case 24:
		return failed(setrlimit(RLIMIT_NICE, &limit));
	case 25:
		return failed(syscall(SYS_settimeofday, NULL, NULL));
	}
	return ENOSYS;
}

static int act(char **words)
{
	const char *verb = words[0], *path = words[1], *other = words[2];

	if (*path == '@') {
		dir = NAMELESS;
		path++;
	}
	if (!strcmp(verb, "exec")) {
		const char *const arguments[] = { path, "exit", NULL }, *const none[] = { NULL };

		syscall(SYS_execveat, dir, path, arguments, none, 0);
		return errno;
	}
	if (!strcmp(verb, "map"))
		return map_executable(path);
	if (!strcmp(verb, "read"))
		return open_and_close(path, O_RDONLY);
	if (!strcmp(verb, "write"))
		return open_and_close(path, O_WRONLY);
	if (!strcmp(verb, "rdwr"))
		return open_and_close(path, O_RDWR);
	if (!strcmp(verb, "append"))
		return open_and_close(path, O_WRONLY | O_APPEND);
	if (!strcmp(verb, "trunc"))
		return open_and_close(path, O_WRONLY | O_TRUNC);
	if (!strcmp(verb, "create"))
		return open_and_close(path, O_WRONLY | O_CREAT | O_EXCL);
	if (!strcmp(verb, "truncate"))
		return failed(truncate(path, 8));
	if (!strcmp(verb, "chmod"))
		return failed(chmod(path, 0666));
	if (!strcmp(verb, "utimes"))
		return failed(utimensat(AT_FDCWD, path, NULL, 0));
	if (!strcmp(verb, "mkdir"))
		return failed(mkdirat(dir, path, 0777));
	if (!strcmp(verb, "mkfifo"))
		return failed(mkfifo(path, 0666));
	if (!strcmp(verb, "symlink"))
		return failed(symlink("x", path));
	if (!strcmp(verb, "unlink"))
		return failed(unlinkat(dir, path, 0));
	if (!strcmp(verb, "rmdir"))
		return failed(rmdir(path));
	if (!strcmp(verb, "rename"))
		return failed(rename(path, other));
	if (!strcmp(verb, "exchange"))
		return failed(renameat2(AT_FDCWD, path, AT_FDCWD, other, RENAME_EXCHANGE));
	if (!strcmp(verb, "link"))
		return failed(link(path, other));
	if (!strcmp(verb, "capability"))
		return want(atoi(words[1]));
	return use_socket(words);
}

static void run(char **words)
{
	int slot = atoi(words[0]);

	if (words[2])
		execl(words[1], words[1], "chain", words[0], words[2], NULL);
	else
		execl(words[1], words[1], "serve", words[0], NULL);
	answer(slot, getpid(), errno);
	_exit(1);
}

static void obey(int slot, char **words)
{
	int status = 0, pid;

	if (!strcmp(words[0], "quit"))
		_exit(0);
	pid = fork();
	if (pid < 0) {
		answer(slot, 0, errno);
		return;
	}
	if (!strcmp(words[0], "run")) {
		if (pid == 0)
			run(words + 1);
		return;
	}
	if (pid == 0)
		_exit(act(words + 1));
	waitpid(pid, &status, 0);
	answer(slot, pid, WIFEXITED(status) ? WEXITSTATUS(status) : 255);
}

static int serve(int slot)
{
	static char line[16384];
	char *words[8];
	ssize_t n;

	answer(slot, getpid(), 0);
	while ((n = read(REQUESTS(slot), line, sizeof(line) - 1)) > 0) {
		line[n] = 0;
		memset(words, 0, sizeof(words));
		words[0] = strtok(line, " \n");
		for (int i = 1; i < 7 && words[i - 1]; i++)
			words[i] = strtok(NULL, " \n");
		if (words[0])
			obey(slot, words);
	}
	return 0;
}

static int hub(void)
{
	signal(SIGHUP, SIG_IGN);
	for (int i = 0; i < 4; i++) {
		if (fork())
			continue;
		if (i & 1) {
			setsid();
			if (ioctl(TERMINALS + (i >> 1), TIOCSCTTY, 0))
				return 2;
		}
		if ((i & 2) && setresuid(1000, 1000, 1000))
			return 2;
		return serve(i);
	}
	while (wait(NULL) > 0)
		;
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "hub"))
		return hub();
	if (!strcmp(what, "serve"))
		return serve(atoi(argv[2]));
	if (!strcmp(what, "chain")) {
		execl(argv[3], argv[3], "serve", argv[2], NULL);
		answer(atoi(argv[2]), getpid(), errno);
		return 1;
	}
	return strcmp(what, "exit") ? 2 : 0;
}
