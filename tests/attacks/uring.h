/* SPDX-License-Identifier: Apache-2.0 */
/* An io_uring by its bare system calls, for one request at a time. */
#ifndef URING_H
#define URING_H

#include "attack.h"
#include <linux/io_uring.h>

struct ring {
	int fd;
	struct io_uring_params p;
	char *sq, *cq;
	struct io_uring_sqe *sqes;
};

static inline void map_ring(struct ring *r)
{
	int flags = PROT_READ | PROT_WRITE;

	r->sq = mmap(NULL, r->p.sq_off.array + r->p.sq_entries * 4, flags, MAP_SHARED, r->fd, IORING_OFF_SQ_RING);
	r->cq = mmap(NULL, r->p.cq_off.cqes + r->p.cq_entries * sizeof(struct io_uring_cqe), flags, MAP_SHARED, r->fd,
		     IORING_OFF_CQ_RING);
	r->sqes = mmap(NULL, r->p.sq_entries * sizeof(struct io_uring_sqe), flags, MAP_SHARED, r->fd, IORING_OFF_SQES);
	if (r->sq == MAP_FAILED || r->cq == MAP_FAILED || r->sqes == MAP_FAILED)
		failed("mmap of the ring");
}

static inline void make_ring(struct ring *r, unsigned flags)
{
	memset(r, 0, sizeof(*r));
	r->p.flags = flags;
	r->p.sq_thread_idle = 2000;
	r->fd = syscall(SYS_io_uring_setup, 4, &r->p);
	must(r->fd, "io_uring_setup");
	map_ring(r);
}

/* Submit one request and wait for what comes of it: its result, or -1 and errno. */
static inline long submit(struct ring *r, struct io_uring_sqe request)
{
	unsigned *tail = (unsigned *)(r->sq + r->p.sq_off.tail), *head = (unsigned *)(r->cq + r->p.cq_off.head);
	unsigned *end = (unsigned *)(r->cq + r->p.cq_off.tail), *flags = (unsigned *)(r->sq + r->p.sq_off.flags);
	unsigned slot = *tail & (r->p.sq_entries - 1), enter = IORING_ENTER_GETEVENTS;
	int polled = r->p.flags & IORING_SETUP_SQPOLL;
	struct io_uring_cqe *done;

	r->sqes[slot] = request;
	((unsigned *)(r->sq + r->p.sq_off.array))[slot] = slot;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	if (polled && (__atomic_load_n(flags, __ATOMIC_SEQ_CST) & IORING_SQ_NEED_WAKEUP))
		enter |= IORING_ENTER_SQ_WAKEUP;
	must(syscall(SYS_io_uring_enter, r->fd, polled ? 0 : 1, 1, enter, NULL, 0), "io_uring_enter");
	while (*head == __atomic_load_n(end, __ATOMIC_ACQUIRE))
		usleep(1000);
	done = (struct io_uring_cqe *)(r->cq + r->p.cq_off.cqes) + (*head & (r->p.cq_entries - 1));
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	if (done->res >= 0)
		return done->res;
	errno = -done->res;
	return -1;
}

/* One request on a ring of its own. An operation that the kernel does not know ends the attack as lacking. */
static inline long once(struct io_uring_sqe request)
{
	struct io_uring_probe *probe = calloc(1, sizeof(*probe) + 256 * sizeof(probe->ops[0]));
	struct ring r;

	make_ring(&r, 0);
	must(syscall(SYS_io_uring_register, r.fd, IORING_REGISTER_PROBE, probe, 256), "IORING_REGISTER_PROBE");
	if (request.opcode > probe->last_op || !(probe->ops[request.opcode].flags & IO_URING_OP_SUPPORTED))
		lacking("this kernel's io_uring does not know the operation");
	return submit(&r, request);
}

#endif
