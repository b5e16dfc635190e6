/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The small programs that scenarios run and no package has, in one file: it does what the name says that it is called by. Linked
 * statically, so that it runs in any image, and opens nothing but what it is told to.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int say(const char *words)
{
	return puts(words) < 0;
}

/* readwrite -r FILE prints the first byte, readwrite -w FILE appends one. */
static int readwrite(const char *how, const char *path)
{
	int writes = !strcmp(how, "-w");
	int fd = open(path, writes ? O_WRONLY | O_APPEND : O_RDONLY);
	char byte = 'b';

	if (fd < 0) {
		say("Error!");
		return 1;
	}
	if (writes)
		return write(fd, &byte, 1) != 1;
	if (read(fd, &byte, 1) == 1)
		printf("%c\n", byte);
	return 0;
}

/* read FILE prints its first line. Whether it can or not, it succeeds. */
static int read_line(const char *path)
{
	char line[4096] = "";
	FILE *file = fopen(path, "r");

	if (!file)
		return printf("failed to open %s with the READONLY mode\n", path) < 0;
	if (fgets(line, sizeof(line), file))
		line[strcspn(line, "\n")] = 0;
	return printf("read %s from %s\n", line, path) < 0;
}

/* For each line that comes, write to the file of that name. */
static int touch_lines(void)
{
	char line[256];

	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = 0;
		close(open(line, O_WRONLY | O_CREAT, 0600));
	}
	return 0;
}

/* A container's first process: it lets those that have ended go, and lasts. */
static int wait_for_ever(void)
{
	signal(SIGCHLD, SIG_IGN);
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	const char *slash = argc ? strrchr(argv[0], '/') : NULL;
	const char *name = slash ? slash + 1 : argc ? argv[0] : "";

	if (!strcmp(name, "hello"))
		return say("helloworld");
	if (!strcmp(name, "readwrite"))
		return argc == 3 ? readwrite(argv[1], argv[2]) : 0;
	if (!strcmp(name, "read"))
		return argc == 2 ? read_line(argv[1]) : say("Usage: read FILE");
	if (!strcmp(name, "write"))
		return say("Usage: write FILE LINE");
	if (!strcmp(name, "touch-lines"))
		return touch_lines();
	if (!strcmp(name, "pause"))
		return wait_for_ever();
	fprintf(stderr, "%s is no name of this program\n", name);
	return 2;
}
