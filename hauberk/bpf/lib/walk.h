/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * From an object to its names, and from these to automaton states.
 *
 * A file's name is made of its dentries up to the root of its superblock, behind the place at which that superblock was
 * mounted when the workload began. So nothing that is done later with mounts (bind, open_tree clone, move, pivot_root,
 * another namespace) changes the name that a rule sees, and the hooks that carry no mount have names too. Only a
 * superblock that was not mounted then is named by way of its mount; Allow rules do not hold there (`fresh`).
 *
 * The fast walk does what nearly every access needs: the root file system, short names, at most 11 components, read in
 * place through typed pointers. It gives up (SLOW) rather than guess. The slow walk does the rest.
 */
#ifndef HAUBERK_WALK_H
#define HAUBERK_WALK_H

#include "label.h"

#define SLOW (1ull << 63 | ABSORBING) /* looks no further, like a state that no byte leaves */
#define FAST_NAME 32 /* dentry.d_iname is 32 bytes on 6.1, 40 on 6.12 */

static __always_inline u32 typed_sequence(u64 lock)
{
	const struct seqcount *s = bpf_rdonly_cast((void *)lock, bpf_core_type_id_kernel(struct seqcount));

	return s->sequence;
}

/* The sequence of rename_lock or mount_lock, without the helper where that is possible: it takes ten times as long. */
static __always_inline u32 read_sequence(u64 lock)
{
	u32 sequence = 1;

	asm volatile("" ::: "memory");
	if (can_cast)
		sequence = typed_sequence(lock);
	else
		bpf_probe_read_kernel(&sequence, sizeof(sequence), (void *)lock);
	asm volatile("" ::: "memory");
	return sequence;
}

static __always_inline const void *inline_name(struct dentry *d)
{
	u64 offset;

	if (bpf_core_field_exists(d->d_iname))
		offset = bpf_core_field_offset(d->d_iname);
	else
		offset = bpf_core_field_offset(struct dentry___new, d_shortname);
	/* an array index would be checked against the array's length in another kernel's BTF; an offset is a plain load */
	const void *name = (const void *)d + offset;
	asm volatile("" : "+r"(name));
	return name;
}

/*
 * Step on by the byte `n` of a word; false if the walk ends there. A byte with an edge costs one load and one comparison.
 * All else is asked only where there is no edge: whether the name has ended (no row has an edge for NUL), and whether the
 * state is one that no byte leaves (its row has no edge at all).
 */
static __always_inline bool advance(struct hb_arena a, u64 *state, u64 word, int n)
{
	u64 column = (n ? word >> (8 * n - 3) : word << 3) & 0xff << 3;
	u64 w = word_at(a, *state + column);

	if (__builtin_expect((u32)w == (u32)*state, 1)) {
		*state = w >> 32;
		return true;
	}
	/* worked out anew: to keep it would cost every byte a copy */
	asm volatile("" : "+r"(word));
	if (!(word & 0xffull << 8 * n))
		return false;
	*state = word_at(a, *state) >> 32;
	return !(*state & ABSORBING);
}

/* Eight bytes of a name; false if the walk ends within them. */
static __always_inline bool advance_word(struct hb_arena a, u64 *state, u64 word)
{
#pragma unroll
	for (int n = 0; n < 8; n++) {
		asm volatile("" : "+r"(word)); /* else it would be loaded anew for each byte */
		if (!advance(a, state, word, n))
			return false;
	}
	return true;
}

#define GOES_ON (1ull << 62)

/* The later words of a name. Not static, so that the verifier looks at it once and not for each component. */
__noinline u64 step_word(u64 word, u64 after)
{
	struct hb_arena a = get_arena();
	u64 state = (u32)after; /* without GOES_ON, which would stay if the word begins with the name's end */

	if (!a.base)
		return SLOW;
	return advance_word(a, &state, word) ? state | GOES_ON : state;
}

/* The state after "/NAME", or SLOW. */
static __always_inline u64 step_name(struct hb_arena a, struct dentry *d, u64 state)
{
	const u64 *name = inline_name(d);

	if (d->d_name.name != (const u8 *)name)
		return SLOW;
	if (!advance(a, &state, '/', 0) || !advance_word(a, &state, name[0]))
		return state;
#pragma unroll
	for (int i = 1; i < FAST_NAME / 8; i++) {
		state = step_word(name[i], state);
		if (!(state & GOES_ON))
			return state;
	}
	return SLOW;
}

#define FAST_DEPTH 11 /* components of a path */

/*
 * The state at `d`, or SLOW. Not inlined, and without a pointer to the caller's view, which would have to be in memory then:
 * both would weigh on the stack of the slow walk.
 */
static __noinline u64 walk_fast(u8 *base, u64 mask, struct dentry *d, u32 start, u32 root_dev)
{
	struct hb_arena a = { base, mask };
	struct dentry *way[FAST_DEPTH + 1], *parent;
	struct super_block *sb = d->d_sb;
	u32 before = read_sequence(rename_lock);
	u64 state = start;
	int n;

	if (sb->s_dev != root_dev)
		return SLOW;
	for (n = 0; n <= FAST_DEPTH; n++) {
		way[n] = d;
		parent = d->d_parent;
		if (parent == d)
			break;
		d = parent;
	}
	if (n > FAST_DEPTH)
		return SLOW;
	while (n-- > 0) {
		state = step_name(a, way[n], state);
		if (state & ABSORBING)
			break;
	}
	/* a detached dentry has no parent either, but it is not the superblock's root */
	if (d != sb->s_root || (before & 1) || read_sequence(rename_lock) != before)
		return SLOW;
	return state;
}

static __always_inline u64 fast_walk(struct hb_view *v, struct dentry *d, u32 start)
{
	return walk_fast(v->a.base, v->a.mask, d, start, TABLE_FIELD(v, root_dev));
}

#endif
