/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens files over and over, and notes of each try under which generation of policies it was made.
 *
 *   attacker HEADS RECORDS COUNTS TASKS FORBIDDEN OTHER...
 *
 * HEADS is a descriptor of the engine's map of workloads, of which workload 0 is looked at; mapped once, it needs no call to
 * be read. RECORDS and COUNTS are descriptors of files that are shared with whoever judges. It waits for a byte on standard
 * input, so that it can be confined meanwhile, and then TASKS tasks try: FORBIDDEN four times, one of the others, and so on. A task stops when COUNTS[0] is not 0, or its part of RECORDS is full; COUNTS[1 + task] is how often it has
 * written a record.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct record {
	uint32_t before; /* generation in force before the try */
	uint16_t later; /* and by how many more after it */
	uint8_t target;
	uint8_t outcome; /* 0: opened, else the errno */
};

static const volatile uint64_t *heads;
static volatile uint64_t *counts;
static struct record *records;

static uint32_t generation(void)
{
	return heads[0] >> 32;
}

static void try(struct record *r, char *const *names, int target)
{
	int fd;

	r->target = target;
	r->before = generation();
	__sync_synchronize();
	fd = open(names[target], O_RDONLY);
	r->outcome = fd < 0 ? errno : 0;
	__sync_synchronize();
	r->later = generation() - r->before;
	if (fd >= 0)
		close(fd);
}

static void *map(int fd, int protection, size_t size)
{
	struct stat s;
	void *p;

	if (!size && !fstat(fd, &s))
		size = s.st_size;
	p = mmap(NULL, size, protection, MAP_SHARED, fd, 0);
	return p == MAP_FAILED ? NULL : p;
}

int main(int argc, char **argv)
{
	int tasks = atoi(argv[4]), others = argc - 6, status = 0, one;
	struct stat s;
	size_t room;
	char go;

	heads = map(atoi(argv[1]), PROT_READ, 4096);
	records = map(atoi(argv[2]), PROT_READ | PROT_WRITE, 0);
	counts = map(atoi(argv[3]), PROT_READ | PROT_WRITE, 0);
	if (!heads || !records || !counts || others < 1 || fstat(atoi(argv[2]), &s) || read(0, &go, 1) != 1)
		return 2;
	room = s.st_size / sizeof(*records) / tasks;
	for (int task = 0; task < tasks; task++) {
		if (fork())
			continue;
		for (size_t i = 0, n = 0; n < room && !counts[0]; i++) {
			struct record *r = records + room * task + n;

			try(r, argv + 5, i % 5 == 4 ? 1 + i / 5 % others : 0);
			counts[1 + task] = ++n;
		}
		_exit(0);
	}
	while (wait(&one) > 0)
		status |= one;
	return status != 0;
}
