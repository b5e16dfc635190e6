/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Bytes that a call carried: of a DNS query the beginning of its message, of a mount its source and type. The message is the
 * caller's memory still: somebody who changes it meanwhile deceives the log, and no rule.
 */
#ifndef HAUBERK_TEXT_H
#define HAUBERK_TEXT_H

#include "access.h"

#define HB_TEXT 512u /* of each that a record carries */

/* A part of what is sent, in the caller's memory. */
struct hb_part {
	u64 from; /* 0: there is none, or that cannot be told */
	u64 bytes;
};

/* The first part of what is sent, or the one after it. */
static __always_inline struct hb_part part_of(struct iov_iter *i, u32 which)
{
	u32 kind = BPF_CORE_READ(i, iter_type);
	u64 offset = which ? 0 : BPF_CORE_READ(i, iov_offset);
	struct iov_iter___old *old = (void *)i;
	const struct iovec *v;
	struct iovec part = {};

	if (kind == bpf_core_enum_value(enum iter_type, ITER_UBUF)) {
		if (which)
			return (struct hb_part){};
		return (struct hb_part){ (u64)BPF_CORE_READ(i, ubuf) + offset, BPF_CORE_READ(i, count) };
	}
	if (kind != bpf_core_enum_value(enum iter_type, ITER_IOVEC) || which >= BPF_CORE_READ(i, nr_segs))
		return (struct hb_part){};
	v = bpf_core_field_exists(old->iov) ? BPF_CORE_READ(old, iov) : BPF_CORE_READ(i, __iov);
	bpf_probe_read_kernel(&part, sizeof(part), v + which);
	if (offset >= part.iov_len)
		return (struct hb_part){};
	return (struct hb_part){ (u64)part.iov_base + offset, part.iov_len - offset };
}

static __always_inline u32 write_part(struct hb_part part, struct hb_scratch *s)
{
	u32 n = part.bytes < HB_TEXT ? part.bytes : HB_TEXT;

	n &= HB_TEXT * 2 - 1;
	if (!part.from || !n || n > HB_TEXT ||
	    bpf_probe_read_user(&s->out[s->walk.out & (HB_OUT - 1)], n, (void *)part.from))
		return 0;
	s->walk.out += n;
	return n;
}

/* The beginning of a message that a socket call sends. Resolvers send the length that TCP wants in a part of its own. */
static __always_inline u32 write_message(struct msghdr *msg, struct hb_scratch *s)
{
	struct iov_iter *i = (void *)((u64)msg + bpf_core_field_offset(msg->msg_iter));
	u32 n = write_part(part_of(i, 0), s);

	return n == 2 ? n + write_part(part_of(i, 1), s) : n;
}

/* What is mounted, and the type of its file system, each ended by a NUL: by the arguments of the hook sb_mount. */
static __always_inline u32 write_mount(u64 arguments, struct hb_scratch *s)
{
	u32 begin = s->walk.out;
	const char *string;
	long n;

#pragma unroll
	for (u32 i = 0; i < 3; i += 2) {
		string = NULL;
		bpf_probe_read_kernel(&string, sizeof(string), (void *)(arguments + i * 8));
		n = bpf_probe_read_kernel_str(&s->out[s->walk.out & (HB_OUT - 1)], HB_TEXT, string);
		if (n <= 0) {
			s->out[s->walk.out & (HB_OUT - 1)] = 0;
			n = 1;
		}
		s->walk.out += n;
	}
	return s->walk.out - begin;
}

/* Append the bytes that a call carried, where they are wanted; how many they are. */
__noinline int write_text(struct hb_access *x, u32 slot)
{
	struct hb_scratch *s = scratch_at(slot);

	if (!s || !x)
		return 0;
	if (x->call == HB_CALL_DNS)
		return write_message((void *)x->mnt, s);
	if (x->call == HB_CALL_MOUNT && x->other)
		return write_mount(x->other, s);
	return 0;
}

#endif
