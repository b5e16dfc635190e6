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
#define TABLE_FIELD(v, field)                                                                                  \
	((u32)(word_at((v)->a, TABLE_OF((v)->active) + (__builtin_offsetof(struct hb_table, field) & ~7ul)) >> \
	       (__builtin_offsetof(struct hb_table, field) & 4 ? 32 : 0)))

static __always_inline struct hb_workload *workload_of(const struct hb_label *label)
{
	return &heads[label->workload & (HB_WORKLOADS - 1)];
}

/*
 * Does the kernel act on its own, with credentials that it has lent the task for a while? So does overlayfs, which works on
 * its layers as its mounter, what it does being decided by the overlay's name. io_uring changes credentials too, but to ones
 * that tasks of the workload have chosen.
 */
static __always_inline bool on_lent_credentials(void)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return task->cred != task->real_cred && !task->io_uring && !(task->flags & PF_IO_WORKER);
}

/* Number the current task's program as the table in force does (verdict.h). */
int renew_label(u64 active);

/* False if the current task is not confined, or if its table speaks of nothing that `wanted` (of HB_T_HINTS) asks for. */
static __always_inline bool current_view(struct hb_view *v, u32 wanted)
{
	v->label = current_label();
	if (!v->label)
		return false;
	/* table and generation in one load, as user space stores them */
	v->active = *(volatile u64 *)&workload_of(v->label)->table;
	if (!(v->active & wanted))
		return false;
	if (v->label->generation != v->active >> 32)
		renew_label(v->active);
	v->a = get_arena();
	return v->a.base != NULL;
}

#endif
