/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The blocked file read by the old asynchronous calls, io_setup and io_submit.
 *
 * The read is done by the kernel at a time of its own.
 *
 * ---
 * tries: [D2]
 * rule: secret
 * wins: secret
 */
#include "attack.h"
#include <linux/aio_abi.h>

int main(void)
{
	static char text[100];
	int fd = open(V("secret"), O_RDONLY);
	aio_context_t context = 0;
	struct iocb read = { .aio_lio_opcode = IOCB_CMD_PREAD,
			     .aio_fildes = fd,
			     .aio_buf = (unsigned long)text,
			     .aio_nbytes = sizeof(text) },
		    *reads[] = { &read };
	struct io_event done;

	must(fd, "open");
	must(syscall(SYS_io_setup, 1, &context), "io_setup");
	must(syscall(SYS_io_submit, context, 1, reads), "io_submit");
	must(syscall(SYS_io_getevents, context, 1, 1, &done, NULL), "io_getevents");
	fputs(text, stdout);
	return 0;
}
