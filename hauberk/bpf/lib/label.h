/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Who a task is, and which table speaks of it. */
#ifndef HAUBERK_LABEL_H
#define HAUBERK_LABEL_H

#include "automaton.h"

static __always_inline struct hb_label *label_of(u64 task)
{
	return bpf_map_lookup_elem(&labels, &task);
}

static __always_inline struct hb_label *current_label(void)
{
	return label_of(bpf_get_current_task());
}

/* What a program needs of the workload that the current task belongs to. */
struct hb_view {
	struct hb_arena a;
	struct hb_label *label;
	u64 active; /* hb_workload.table, and its generation above */
};

#define TABLE_OF(active) ((u32)(active) & ~HB_T_HINTS)

/* Tables are 8-aligned, so which half a field is in is known here. */
#define TABLE_FIELD(v, field)                                                                          \
	((u32)(word_at((v)->a, TABLE_OF((v)->active) + (__builtin_offsetof(struct hb_table, field) & ~7ul)) >> \
	       (__builtin_offsetof(struct hb_table, field) & 4 ? 32 : 0)))

/* The current task's label and the arena; false if the task is not confined. */
static __always_inline bool find_label(struct hb_view *v)
{
	v->label = current_label();
	if (!v->label)
		return false;
	v->a = get_arena();
	return v->a.base != NULL;
}

/* False if the current task is not confined, or if its table speaks of nothing that `wanted` (of HB_T_HINTS) asks for. */
static __always_inline bool current_view(struct hb_view *v, u32 wanted)
{
	if (!find_label(v))
		return false;
	/* table and generation in one load, as user space stores them */
	v->active = word_at(v->a, (u64)v->label->workload * sizeof(struct hb_workload));
	return v->active & wanted;
}

#endif
