/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Repeats of a violation, counted instead of told one by one.
 *
 * There are two windows of slots, one of them open. A program counts itself in before it uses the open window's slots and out
 * afterwards. User space closes a window by opening the other; once nobody is inside, the slots are its own to read and clear.
 * Neither waits for the other, and no count is missed, wherever a program is preempted (preempt=full).
 *
 * A slot belongs to a digest, which is keyed by a secret of this engine: nobody can make two accesses that pass for one.
 */
#ifndef HAUBERK_REPEATS_H
#define HAUBERK_REPEATS_H

#include "scratch.h"

#define HB_PROBES 16 /* slots that are looked at for one digest */

const volatile u64 repeat_secret[2] = { 1, 1 };

/* An atomic add is a full barrier only if its result is asked for: without, arm64 may reorder it. */
static __always_inline void add_in_order(u64 *to, u64 n)
{
	u64 before = __sync_fetch_and_add(to, n);

	asm volatile("" ::"r"(before));
}

/* Count in; the parity of the open window, or -1 if windows change so fast that it was not found. */
static __always_inline int enter_window(void)
{
	for (int i = 0; i < 3; i++) {
		u64 window = *(volatile u64 *)&repeats.window;

		add_in_order(&repeats.inside[window & 1], 1);
		if (*(volatile u64 *)&repeats.window == window)
			return window & 1;
		add_in_order(&repeats.inside[window & 1], -1);
	}
	return -1;
}

static __always_inline void leave_window(int window)
{
	add_in_order(&repeats.inside[window & 1], -1);
}

/* Two multiplications, as one alone would let a difference in the highest bits through unchanged. */
static __always_inline u64 mix(u64 digest, u64 word)
{
	word ^= digest;
	return word * (repeat_secret[0] | 1) ^ (word >> 32) * (repeat_secret[1] | 1);
}

/* Loops off the hot path are bpf_loop()s: of these the verifier walks one turn. */
static long digest_word(u32 i, u32 *slot)
{
	struct hb_scratch *s = scratch_at(*slot);

	if (!s)
		return 1;
	s->digest = mix(s->digest, ((u64 *)s->name)[i & (HB_NAME / 8 - 1)]);
	return 0;
}

/*
 * Into the scratch's digest: which file a dentry is, and by which name. The name itself, as the dcache's hash of it is not
 * meant to withstand somebody who wants two names to be alike.
 */
__noinline int digest_dentry(u64 dentry, u32 slot)
{
	struct hb_scratch *s = scratch_at(slot);
	struct dentry *d = (void *)dentry;
	u64 digest;
	u32 length;

	if (!s)
		return 0;
	digest = mix(s->digest, !!dentry);
	if (dentry) {
		length = BPF_CORE_READ(d, d_name.len) & (HB_NAME - 1);
		digest = mix(digest, (u64)BPF_CORE_READ(d, d_sb, s_dev) << 32 | length);
		digest = mix(digest, BPF_CORE_READ(d, d_inode, i_ino));
		digest = mix(digest, BPF_CORE_READ(d, d_inode, i_generation));
		digest = mix(digest, BPF_CORE_READ(d, d_parent, d_inode, i_ino));
		((u64 *)s->name)[length / 8] = 0;
		bpf_probe_read_kernel(s->name, length, BPF_CORE_READ(d, d_name.name));
		s->digest = digest;
		call_back((length + 7) / 8, digest_word, &slot);
	} else {
		s->digest = digest;
	}
	return 0;
}

/* The mask comes last and behind a barrier, as in arena_at(). */
static __always_inline struct hb_repeat *repeat_at(u64 place)
{
	asm volatile("%0 &= %1" : "+r"(place) : "i"(2 * HB_REPEATS - 1));
	return &repeats.slot[place];
}

struct hb_search {
	u64 key;
	u32 window;
	int place;
};

static long try_place(u32 i, struct hb_search *f)
{
	u32 place = ((f->key >> 32) + i & (HB_REPEATS - 1)) + (f->window & 1) * HB_REPEATS;
	struct hb_repeat *r = repeat_at(place);
	u64 found = *(volatile u64 *)&r->key;

	if (!found)
		found = __sync_val_compare_and_swap(&r->key, 0, f->key);
	if (found && found != f->key)
		return 0;
	f->place = place;
	return 1;
}

/* The place of the scratch's digest among a window's slots, taken if it is new; -1 if there is none left for it. */
__noinline int find_place(u32 window, u32 slot)
{
	struct hb_scratch *s = scratch_at(slot);
	struct hb_search f = { .window = window, .place = -1 };

	if (!s)
		return -1;
	f.key = s->digest ?: 1;
	call_back(HB_PROBES, try_place, &f);
	return f.place;
}

/* One more, of which no record tells. */
static __always_inline void count_repeat(struct hb_repeat *r)
{
	u64 now = bpf_ktime_get_boot_ns(), last;

	__sync_fetch_and_add(&r->count, 1);
	__sync_val_compare_and_swap(&r->first_ns, 0, now);
	/* what loses four times in a row is within microseconds of what won */
	for (int i = 0; i < 4; i++) {
		last = *(volatile u64 *)&r->last_ns;
		if (last >= now || __sync_val_compare_and_swap(&r->last_ns, last, now) == last)
			break;
	}
}

#endif
