/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The same accesses by io_uring, whose workers are tasks of their own.
 *
 *   uring MODE OPERATION WORD...   MODE: inline, async (a worker does it), poll (the ring's thread), poll-async
 */
#include "act.h"
#include <arpa/inet.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>

struct ring {
	int fd;
	struct io_uring_params p;
	char *sq, *cq;
	struct io_uring_sqe *sqes;
};

static int make_ring(struct ring *r, int poll)
{
	memset(r, 0, sizeof(*r));
	r->p.flags = poll ? IORING_SETUP_SQPOLL : 0;
	r->p.sq_thread_idle = 2000;
	r->fd = syscall(SYS_io_uring_setup, 4, &r->p);
	if (r->fd < 0)
		return -1;
	r->sq = mmap(NULL, r->p.sq_off.array + 4 * sizeof(__u32), PROT_READ | PROT_WRITE, MAP_SHARED, r->fd,
		     IORING_OFF_SQ_RING);
	r->cq = mmap(NULL, r->p.cq_off.cqes + 8 * sizeof(struct io_uring_cqe), PROT_READ | PROT_WRITE, MAP_SHARED,
		     r->fd, IORING_OFF_CQ_RING);
	r->sqes =
		mmap(NULL, 4 * sizeof(struct io_uring_sqe), PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, IORING_OFF_SQES);
	return r->sq == MAP_FAILED || r->cq == MAP_FAILED || r->sqes == MAP_FAILED ? -1 : 0;
}

/* Submit the one entry and wait for its result. */
static long submit(struct ring *r, int poll)
{
	__u32 *tail = (__u32 *)(r->sq + r->p.sq_off.tail), *flags = (__u32 *)(r->sq + r->p.sq_off.flags);
	__u32 *head = (__u32 *)(r->cq + r->p.cq_off.head);
	struct io_uring_cqe *cqe = (struct io_uring_cqe *)(r->cq + r->p.cq_off.cqes);
	unsigned enter = IORING_ENTER_GETEVENTS;

	((__u32 *)(r->sq + r->p.sq_off.array))[0] = 0;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	if (poll && (__atomic_load_n(flags, __ATOMIC_SEQ_CST) & IORING_SQ_NEED_WAKEUP))
		enter |= IORING_ENTER_SQ_WAKEUP;
	if (syscall(SYS_io_uring_enter, r->fd, poll ? 0 : 1, 1, enter, NULL, 0) < 0)
		return -1;
	while (*head == __atomic_load_n((__u32 *)(r->cq + r->p.cq_off.tail), __ATOMIC_ACQUIRE))
		usleep(1000);
	if (cqe->res < 0) {
		errno = -cqe->res;
		return -1;
	}
	return cqe->res;
}

static long verb_uring(char **w)
{
	static struct sockaddr_in name;
	int poll = !strncmp(w[0], "poll", 4), wants_fd = 0;
	const char *operation = w[1];
	struct io_uring_sqe *e;
	struct ring r;
	long done;

	if (make_ring(&r, poll))
		return -1;
	e = r.sqes;
	memset(e, 0, sizeof(*e));
	e->fd = AT_FDCWD;
	e->addr = (unsigned long)w[2];
	if (!strcmp(operation, "read")) {
		e->opcode = IORING_OP_OPENAT;
		e->open_flags = O_RDONLY;
		wants_fd = 1;
	} else if (!strcmp(operation, "create")) {
		e->opcode = IORING_OP_OPENAT;
		e->open_flags = O_WRONLY | O_CREAT;
		e->len = 0644;
	} else if (!strcmp(operation, "unlink")) {
		e->opcode = IORING_OP_UNLINKAT;
	} else if (!strcmp(operation, "mkdir")) {
		e->opcode = IORING_OP_MKDIRAT;
		e->len = 0755;
	} else if (!strcmp(operation, "rename") || !strcmp(operation, "link") || !strcmp(operation, "symlink")) {
		e->opcode = operation[0] == 'r'	  ? IORING_OP_RENAMEAT
			    : operation[0] == 'l' ? IORING_OP_LINKAT
						  : IORING_OP_SYMLINKAT;
		e->len = AT_FDCWD;
		if (e->opcode == IORING_OP_SYMLINKAT)
			e->len = 0;
		e->addr2 = (unsigned long)w[3];
	} else if (!strcmp(operation, "socket")) {
		e->opcode = IORING_OP_SOCKET;
		e->fd = atoi(w[2]);
		e->off = atoi(w[3]);
		e->addr = 0;
	} else if (!strcmp(operation, "connect")) {
		name = (struct sockaddr_in){ .sin_family = AF_INET,
					     .sin_port = htons(atoi(w[2])),
					     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
		e->opcode = IORING_OP_CONNECT;
		e->fd = held;
		e->addr = (unsigned long)&name;
		e->off = sizeof(name);
	} else {
		errno = EINVAL;
		return -1;
	}
	if (strstr(w[0], "async"))
		e->flags |= IOSQE_ASYNC;
	done = submit(&r, poll);
	if (done >= 0 && wants_fd)
		done = read_from(done);
	close(r.fd);
	return done < 0 ? -1 : 0;
}

const struct verb uring_verbs[] = { { "uring", verb_uring }, { NULL, NULL } };
