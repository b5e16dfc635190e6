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
	u32 table;
	u32 generation;
	u32 flags;
};

#define TABLE_FIELD(v, field) half_at((v)->a, (u64)(v)->table + __builtin_offsetof(struct hb_table, field))

/* False if the current task is not confined, or if no table speaks of anything that `wanted` (HB_T_*) asks for. */
static __always_inline bool current_view(struct hb_view *v, u32 wanted)
{
	u64 active;

	v->label = current_label();
	if (!v->label)
		return false;
	v->a = get_arena();
	if (!v->a.base)
		return false;
	/* table and generation in one load, as user space stores them */
	active = word_at(v->a, (u64)v->label->workload * sizeof(struct hb_workload));
	v->table = active;
	v->generation = active >> 32;
	v->flags = v->table ? TABLE_FIELD(v, flags) : 0;
	return v->flags & wanted;
}

#endif
