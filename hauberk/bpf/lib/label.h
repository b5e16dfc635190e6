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

static __always_inline struct hb_workload *workload_of(const struct hb_label *label)
{
	return &heads[label->workload & (HB_WORKLOADS - 1)];
}

/*
 * The label of a task that may not harm the engine, whatever its policies say. Root on the host may end it, and does so by
 * its units and shells.
 */
static __always_inline struct hb_label *confining_label(void)
{
	struct hb_label *label = current_label();

	return label && !(label->flags & HB_L_HOST) ? label : NULL;
}

/* Is it of a process that looks after engines? Without types, as everywhere off the hot path: see conditions_of(). */
static __always_inline bool is_keeper(struct task_struct *task)
{
	u64 leader = (u64)BPF_CORE_READ(task, group_leader);

	return bpf_map_lookup_elem(&keepers, &leader) != NULL;
}

static __always_inline bool give_label(u64 task, const struct hb_label *label)
{
	if (bpf_map_update_elem(&labels, &task, label, BPF_NOEXIST))
		return false;
	__sync_fetch_and_add(&workload_of(label)->tasks, 1);
	return true;
}

/* One task less. User space is told of the last one. */
__noinline int leave_workload(u32 workload)
{
	struct hb_event ended = { .workload = workload, .call = HB_CALL_ENDED };

	/* no violation: without room in the ring, user space still sees that there are no tasks */
	if (__sync_fetch_and_add(&heads[workload & (HB_WORKLOADS - 1)].tasks, -1) == 1)
		bpf_ringbuf_output(&violations, &ended, sizeof(ended), 0);
	return 0;
}

/* The classes in a label are numbered as in this generation: unless it has become another workload's meanwhile. */
static __always_inline void number_label(struct hb_label *label, u32 workload, u32 generation)
{
	u64 held = *(volatile u64 *)label;

	if ((u32)held == workload)
		__sync_val_compare_and_swap((u64 *)label, held, (u64)generation << 32 | workload);
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
