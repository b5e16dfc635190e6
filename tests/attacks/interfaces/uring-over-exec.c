/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file that one program may not read, opened by another that may, and kept over the exec in the table of an io_uring.
 *
 * The file is no descriptor of the task, so that who looks through these at exec does not find it; the ring is one, and an
 * innocent one.
 *
 * ---
 * tries: [own, D1]
 * source: io_uring_register(2), https://man7.org/linux/man-pages/man2/io_uring_register.2.html (IORING_REGISTER_FILES)
 * breaks: {file: {matchPaths: [{path: "{v}/secret", fromSource: [{path: "{o}/second"}]}]}}
 * before: cp "$SELF" "$O/second"
 * beyond: Programs that others drive
 * wins: secret
 */
#include "uring.h"

/* The second program: read from the ring that was left to it. */
static int go_on(const char *left)
{
	static char text[100];
	struct ring r = { 0 };
	long n;

	sscanf(left, "%d %u %u %u %u %u %u %u %u", &r.fd, &r.p.sq_entries, &r.p.cq_entries, &r.p.sq_off.array,
	       &r.p.sq_off.tail, &r.p.sq_off.flags, &r.p.cq_off.cqes, &r.p.cq_off.head, &r.p.cq_off.tail);
	map_ring(&r);
	n = submit(&r, (struct io_uring_sqe){ .opcode = IORING_OP_READ,
					      .flags = IOSQE_FIXED_FILE,
					      .addr = (unsigned long)text,
					      .len = sizeof(text) });
	must(n, "IORING_OP_READ");
	fwrite(text, 1, n, stdout);
	return 0;
}

int main(int argc, char **argv)
{
	char left[200];
	struct ring r;
	int file;

	if (argc > 1)
		return go_on(argv[1]);
	make_ring(&r, 0);
	file = open(V("secret"), O_RDONLY | O_CLOEXEC);
	must(file, "open");
	must(syscall(SYS_io_uring_register, r.fd, IORING_REGISTER_FILES, &file, 1), "IORING_REGISTER_FILES");
	fcntl(r.fd, F_SETFD, 0);
	snprintf(left, sizeof(left), "%d %u %u %u %u %u %u %u %u", r.fd, r.p.sq_entries, r.p.cq_entries,
		 r.p.sq_off.array, r.p.sq_off.tail, r.p.sq_off.flags, r.p.cq_off.cqes, r.p.cq_off.head,
		 r.p.cq_off.tail);
	execl(O("second"), argv[0], left, NULL);
	return failed("execl");
}
