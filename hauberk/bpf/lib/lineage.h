/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What programs came of which, so that an alert can name its task's ancestors, those that have ended too.
 *
 * Each exec of a labelled task has an entry, which tasks' labels name by its number, and entries of the execs that come of
 * it. An entry that any of these names is never used for another exec, so nothing that is reached from a living task can be
 * anything else than what it was. The others are used again in turn.
 */
#ifndef HAUBERK_LINEAGE_H
#define HAUBERK_LINEAGE_H

#include "scratch.h"

#define HB_LINEAGE 16384u
#define HB_LINEAGE_TRIES 8
#define HB_LINEAGE_LOST ~0u /* in place of a number: there was no room */
#define HB_ANCESTOR_PATH 60u
#define HB_ANCESTORS 16u /* that a record carries */

struct hb_exec {
	u32 named; /* labels and entries that name this one; 0: free */
	u32 parent; /* number of the exec that it came of; 0: none that was labelled */
	u32 tgid;
	char name[16]; /* comm, if the path was too long to end in it */
	char path[HB_ANCESTOR_PATH]; /* as it was given to exec, if it is longer its beginning */
};

/* Number 0 is none. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, HB_LINEAGE);
	__type(key, u32);
	__type(value, struct hb_exec);
} lineage SEC(".maps");

u32 last_exec;

static __always_inline struct hb_exec *exec_at(u32 number)
{
	return number ? bpf_map_lookup_elem(&lineage, &number) : NULL;
}

static __always_inline void name_exec(u32 number, int more)
{
	struct hb_exec *e = exec_at(number);

	if (e)
		__sync_fetch_and_add(&e->named, more);
}

/* An entry for the exec that the current task is at. What its label named is named by that entry now. */
static __always_inline void note_exec(struct hb_label *label, const char *path)
{
	u32 number = 0, i;
	struct hb_exec *e = NULL;
	long length;

#pragma unroll
	for (i = 0; i < HB_LINEAGE_TRIES; i++) {
		number = __sync_fetch_and_add(&last_exec, 1) & (HB_LINEAGE - 1);
		e = exec_at(number);
		if (e && !__sync_val_compare_and_swap(&e->named, 0, 1))
			break;
		e = NULL;
	}
	if (!e) {
		count(HB_NO_LINEAGE);
		name_exec(label->exec, -1);
		label->exec = HB_LINEAGE_LOST;
		return;
	}
	name_exec(e->parent, -1);
	e->parent = label->exec;
	e->tgid = bpf_get_current_pid_tgid() >> 32;
	length = bpf_probe_read_kernel_str(e->path, sizeof(e->path), path);
	if (length < 0)
		e->path[0] = 0;
	e->name[0] = 0;
	if (length < 0 || length == sizeof(e->path))
		bpf_get_current_comm(e->name, sizeof(e->name));
	label->exec = number;
}

struct hb_tracing {
	u32 number;
	u32 slot;
};

static long write_ancestor(u32 i, struct hb_tracing *t)
{
	struct hb_scratch *s = scratch_at(t->slot);
	struct hb_exec *e = exec_at(t->number);
	long n;

	if (!s || !e)
		return 1;
	bpf_probe_read_kernel(&s->out[s->walk.out & (HB_OUT - 1)], sizeof(e->tgid), &e->tgid);
	s->walk.out += sizeof(e->tgid);
	n = bpf_probe_read_kernel_str(&s->out[s->walk.out & (HB_OUT - 1)], sizeof(e->name), e->name);
	s->walk.out += n > 0 ? n : 0;
	n = bpf_probe_read_kernel_str(&s->out[s->walk.out & (HB_OUT - 1)], sizeof(e->path), e->path);
	s->walk.out += n > 0 ? n : 0;
	t->number = e->parent;
	return 0;
}

/*
 * Append a task's ancestors; the bytes. The program that the task runs itself is none, unless another process executed it, of
 * which this one is a fork.
 */
__noinline int write_ancestry(u64 address, u32 slot)
{
	struct hb_scratch *s = scratch_at(slot);
	struct task_struct *task = (void *)address;
	struct hb_tracing t = { .slot = slot };
	struct hb_label *label = bpf_map_lookup_elem(&labels, &address);
	struct hb_exec *e;
	u32 begin;

	if (!s || !label)
		return 0;
	begin = s->walk.out;
	e = exec_at(label->exec);
	t.number = e && e->tgid == BPF_CORE_READ(task, tgid) ? e->parent : label->exec;
	call_back(HB_ANCESTORS, write_ancestor, &t);
	if (t.number)
		((struct hb_event *)s->out)->flags |= HB_E_CUT;
	return s->walk.out - begin;
}

#endif
