/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Room for a slow walk and for a record.
 *
 * Claimed by compare-and-swap and not one per processor: a program can be preempted while it holds one (preempt=full), and
 * another on the same processor would write over it. All of a walk's state lives here rather than on the stack, of which
 * a program and its callbacks have 512 bytes together.
 */
#ifndef HAUBERK_SCRATCH_H
#define HAUBERK_SCRATCH_H

#include "label.h"

#define HB_DEPTH 4096u /* components of a path that are kept, counted from the root */
#define HB_NAME 256u
#define HB_PATH 4096u /* longest path that a record carries */
#define HB_OUT 32768u
#define HB_SCRATCHES 32u
#define HB_ROOTS 3u /* names of one object that are weighed */

/* A place at which the object's superblock was visible when the workload began. */
struct hb_root {
	u32 depth; /* dentries noted below it */
	u32 file_state;
	u32 exec_state;
	u32 prefix;
};

struct hb_walk {
	/* asked */
	u64 dentry;
	u64 mnt; /* 0 if the hook carries none */
	u64 task; /* whose own entries and terminal count; 0: the current task's */
	u32 wants_home; /* of a superblock that the workload did not see, the name at home too */
	struct hb_root top; /* the workload's table and its states at "/"; depth holds the table's offset */
	/* answered */
	u32 end; /* enum hb_walk_end */
	u32 depth; /* dentries noted */
	u32 roots;
	u32 fresh; /* a superblock that was not mounted when the workload began lies on the way */
	u32 settled; /* nothing moved during the walk */
	u32 at_home; /* the root after the last is the superblock's own, at home */
	struct hb_root root[HB_ROOTS + 1];
	u32 state_at[HB_ROOTS + 1]; /* automaton state of the object under each root */
	/* the climb's own */
	u32 by_mount;
	u32 known; /* HB_M_* of this superblock */
	u32 dev;
	u32 entered_depth;
	u64 entered;
	u64 at;
	u64 at_mnt;
	u64 sb;
	u64 sb_root;
	u64 magic;
	struct hb_mount whole; /* the superblock's own entry */
	struct hb_mount found; /* the entry to be noted */
	/* the descent's own */
	u32 state;
	u32 from;
	u32 cut; /* dentries next to the leaf are no longer noted, or a name was unreadable */
	u32 out; /* where the next byte of the record goes */
	/* the climb to the superblock's own root */
	u32 home; /* names are read from `home` */
	u32 home_depth;
};

struct hb_scratch {
	u64 busy;
	u64 digest; /* of what repeats of an access are alike in */
	struct hb_walk walk;
	u64 dentries[HB_DEPTH];
	u8 name[HB_NAME + 8];
	union {
		u8 out[HB_OUT + HB_PATH]; /* of a record */
		u64 home[HB_DEPTH]; /* of a decision: dentries up to the superblock's own root */
	};
};

struct hb_scratch scratches[HB_SCRATCHES];

static __always_inline struct hb_scratch *scratch_at(u32 slot)
{
	/* clang may know that it is in range, and would drop the mask; the verifier does not know */
	asm volatile("" : "+r"(slot));
	return &scratches[slot & (HB_SCRATCHES - 1)];
}

struct hb_claim {
	u32 first;
	u32 slot;
	u32 held;
};

static long try_claim(u32 i, struct hb_claim *c)
{
	u32 slot = (c->first + i) & (HB_SCRATCHES - 1);
	struct hb_scratch *s = scratch_at(slot);

	if (!s || __sync_val_compare_and_swap(&s->busy, 0, 1) != 0)
		return 0;
	c->slot = slot;
	c->held = 1;
	return 1;
}

/* A free scratch's number, or -1: the caller must then refuse, or count the record as lost. */
__noinline int claim_scratch(void)
{
	struct hb_claim c = { .first = bpf_get_smp_processor_id() * 4 };

	call_back(HB_SCRATCHES, try_claim, &c);
	if (c.held)
		return c.slot & (HB_SCRATCHES - 1);
	return -1;
}

static __always_inline void release_scratch(u32 slot)
{
	struct hb_scratch *s = scratch_at(slot);

	if (s)
		__sync_lock_test_and_set(&s->busy, 0);
}

#endif
