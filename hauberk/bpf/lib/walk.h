/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * From an object to its names, and from these to automaton states.
 *
 * A file's name is made of its dentries up to the root of its superblock, behind the place at which that superblock was
 * mounted when the workload began. So nothing that is done later with mounts (bind, open_tree clone, move, pivot_root,
 * another namespace) changes the name that a rule sees, and the hooks that carry no mount have names too. Only a
 * superblock that was not mounted then is named by way of its mount; Allow rules do not hold there (`fresh`).
 *
 * The fast walk does what nearly every access needs: the root file system, short names, at most 12 components, read in
 * place through typed pointers. It gives up (SLOW) rather than guess. The slow walk does the rest.
 */
#ifndef HAUBERK_WALK_H
#define HAUBERK_WALK_H

#include "label.h"

#define SLOW (1ull << 63)
#define FAST_NAME 32 /* dentry.d_iname is 32 bytes on 6.1, 40 on 6.12 */

static __always_inline u32 read_sequence(const void *lock)
{
	u32 sequence = 1;

	bpf_probe_read_kernel(&sequence, sizeof(sequence), lock);
	return sequence;
}

static __always_inline const u8 *inline_name(struct dentry *d)
{
	u64 offset;

	if (bpf_core_field_exists(d->d_iname))
		offset = bpf_core_field_offset(d->d_iname);
	else
		offset = bpf_core_field_offset(struct dentry___new, d_shortname);
	/* an array index would be checked against the array's length in another kernel's BTF; an offset is a plain load */
	const u8 *name = (const u8 *)d + offset;
	asm volatile("" : "+r"(name));
	return name;
}

/* The state after "/NAME", or SLOW. */
static __noinline u64 step_name(u8 *base, struct dentry *d, u32 state)
{
	struct hb_arena a = { base, arena_mask };
	const u8 *name = inline_name(d);

	if (d->d_name.name != name)
		return SLOW;
	state = step(a, state, '/');
	if (state & ABSORBING)
		return state;
#pragma unroll
	for (int j = 0; j < FAST_NAME; j++) {
		u8 c = name[j];

		if (!c)
			return state;
		state = step(a, state, c);
		if (state & ABSORBING)
			return state;
	}
	return SLOW;
}

#define CLIMB(below, above)            \
	d##above = d##below->d_parent; \
	top = d##below;                \
	if (d##above == d##below)      \
		goto at##below;

#define DESCEND(n)                                 \
	state = step_name(v->a.base, d##n, state); \
	if (state & (ABSORBING | SLOW))            \
		goto out;

/* The state at `d0`, or SLOW. Not inlined: its twelve pointers would weigh on the stack of the slow walk. */
static __noinline u64 fast_walk(struct hb_view *v, struct dentry *d0, u32 start)
{
	struct dentry *d1, *d2, *d3, *d4, *d5, *d6, *d7, *d8, *d9, *d10, *d11, *d12, *top;
	struct super_block *sb = d0->d_sb;
	u32 before = read_sequence(&rename_lock);
	u64 state = start;

	if (sb->s_dev != TABLE_FIELD(v, root_dev))
		return SLOW;
	CLIMB(0, 1)
	CLIMB(1, 2)
	CLIMB(2, 3)
	CLIMB(3, 4)
	CLIMB(4, 5)
	CLIMB(5, 6)
	CLIMB(6, 7)
	CLIMB(7, 8)
	CLIMB(8, 9)
	CLIMB(9, 10)
	CLIMB(10, 11)
	CLIMB(11, 12)
	return SLOW;
at11:
	DESCEND(10)
at10:
	DESCEND(9)
at9:
	DESCEND(8)
at8:
	DESCEND(7)
at7:
	DESCEND(6)
at6:
	DESCEND(5)
at5:
	DESCEND(4)
at4:
	DESCEND(3)
at3:
	DESCEND(2)
at2:
	DESCEND(1)
at1:
	DESCEND(0)
at0:
out:
	/* a detached dentry has no parent either, but it is not the superblock's root */
	if (top != sb->s_root || (before & 1) || read_sequence(&rename_lock) != before)
		return SLOW;
	return state;
}

#endif
