/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file that must not be changed, written to by many threads at once, quickly.
 *
 * Where the answer to a violation is a signal, the call that violates is over before the signal arrives, and other threads run
 * on meanwhile (Tetragon's documentation; grsecurity's "Tetragone").
 *
 * ---
 * tries: [D3]
 * rule: fixed
 * wins: changed
 */
#include "attack.h"
#include <pthread.h>

static const char *path;

static void *writing(void *unused)
{
	for (int i = 0; i < 100; i++) {
		int fd = open(path, O_WRONLY);

		if (fd >= 0 && write(fd, "mine", 4) == 4)
			close(fd);
	}
	return unused;
}

int main(void)
{
	pthread_t threads[8];

	path = V("secret");
	for (int i = 0; i < 8; i++)
		must(pthread_create(&threads[i], NULL, writing, NULL), "thread");
	for (int i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	return 0;
}
