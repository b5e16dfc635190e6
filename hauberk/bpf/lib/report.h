/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* From a decision to a record in a ring: who did what to which object, in full, so that user space need not guess. */
#ifndef HAUBERK_REPORT_H
#define HAUBERK_REPORT_H

#include "arguments.h"
#include "slow_walk.h"

/* An access, as a hook sees it. */
struct hb_access {
	u64 dentry; /* 0: not a file */
	u64 mnt;
	u64 other; /* the other end of a rename or link */
	u64 mm; /* of an exec: where the new program's arguments are */
	u64 arguments;
	u32 operations; /* bits 1 << enum hb_operation; more than one for an open that reads and writes */
	u32 section;
	u32 call;
	u32 owner; /* uid of the object's owner, or of the directory in which it will be made */
	u32 detail[4];
	u32 word; /* the verdict on it */
	u32 workload;
	u64 active; /* the table that decided, and its generation above */
};

static long write_component(u32 i, u32 *slot)
{
	struct hb_scratch *s = scratch_at(*slot);
	u32 at;
	int n;

	if (!s)
		return 1;
	n = fetch_name(i, *slot);
	if (n < 0 || s->walk.out - s->walk.state > HB_PATH - HB_NAME)
		return 1;
	at = s->walk.out;
	if (s->walk.end != WALK_NAMELESS)
		s->out[at++ & (HB_OUT - 1)] = '/';
	bpf_probe_read_kernel(&s->out[at & (HB_OUT - 1)], n & (HB_NAME - 1), s->name);
	s->walk.out = at + n;
	return 0;
}

/* Append the path of a dentry, as the rules name it, to the record in `slot`; its length. */
__noinline int write_path(u64 dentry, u64 mnt, u32 slot)
{
	struct hb_scratch *s = scratch_at(slot);
	struct hb_arena a = get_arena();
	u32 begin, prefix, depth;

	if (!s || !a.base || !dentry)
		return 0;
	s->walk.dentry = dentry;
	s->walk.mnt = mnt;
	find_roots(slot);
	begin = s->walk.state = s->walk.out; /* `state` marks where this path begins */
	depth = s->walk.depth;
	if (s->walk.roots) {
		depth = s->walk.root[0].depth;
		prefix = s->walk.root[0].prefix;
		if (prefix) {
			u32 n = half_at(a, prefix) & (HB_PATH - 1);

			bpf_probe_read_kernel(&s->out[begin & (HB_OUT - 1)], n, arena_at(a, prefix) + 4);
			s->walk.out += n;
		}
	}
	s->walk.from = depth;
	bpf_loop(depth, write_component, &slot, 0);
	if (s->walk.out == begin) {
		s->out[begin & (HB_OUT - 1)] = '/';
		s->walk.out = begin + 1;
	}
	return s->walk.out - begin;
}

static __always_inline u32 write_program(struct task_struct *task, u32 slot)
{
	struct file *exe = BPF_CORE_READ(task, mm, exe_file);

	return exe ? write_path((u64)BPF_CORE_READ(exe, f_path.dentry), (u64)BPF_CORE_READ(exe, f_path.mnt), slot) : 0;
}

static __always_inline u32 number_in_own_namespace(struct task_struct *task)
{
	struct pid *pid = BPF_CORE_READ(task, group_leader, thread_pid);
	u32 level = BPF_CORE_READ(pid, level), nr = 0;

	bpf_probe_read_kernel(&nr, sizeof(nr),
			      (u8 *)pid + bpf_core_field_offset(struct pid, numbers) +
				      level * bpf_core_type_size(struct upid) + bpf_core_field_offset(struct upid, nr));
	return nr;
}

static __always_inline int write_record(struct hb_access *x, u32 slot)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct task_struct *parent = BPF_CORE_READ(task, real_parent);
	struct hb_scratch *s = scratch_at(slot);
	struct tty_struct *tty;
	struct hb_event *e;
	long n;

	if (!s)
		return 0;
	e = (struct hb_event *)s->out;
	e->time_ns = bpf_ktime_get_boot_ns();
	e->workload = x->workload;
	e->generation = x->active >> 32;
	e->rule = x->word & HB_RULE_MASK;
	e->verdict = x->word >> 30;
	e->section = x->section;
	e->call = x->call;
	e->tgid = BPF_CORE_READ(task, tgid);
	e->tid = BPF_CORE_READ(task, pid);
	e->parent_tgid = BPF_CORE_READ(parent, tgid);
	e->ns_tgid = number_in_own_namespace(task);
	e->ns_parent_tgid = number_in_own_namespace(parent);
	e->uid = bpf_get_current_uid_gid();
	e->owner = x->owner;
	__builtin_memcpy(e->detail, x->detail, sizeof(e->detail));
	s->walk.out = sizeof(*e);
	e->length[HB_STR_OBJECT] = write_path(x->dentry, x->mnt, slot);
	e->length[HB_STR_OTHER] = write_path(x->other, x->mnt, slot);
	e->length[HB_STR_EXE] = write_program(task, slot);
	e->length[HB_STR_PARENT] = write_program(parent, slot);
	e->length[HB_STR_CWD] =
		write_path((u64)BPF_CORE_READ(task, fs, pwd.dentry), (u64)BPF_CORE_READ(task, fs, pwd.mnt), slot);
	e->length[HB_STR_TTY] = 0;
	tty = BPF_CORE_READ(task, signal, tty);
	if (tty) {
		n = bpf_probe_read_kernel_str(&s->out[s->walk.out & (HB_OUT - 1)], 64, tty->name);
		if (n > 1) {
			e->length[HB_STR_TTY] = n - 1;
			s->walk.out += n - 1;
		}
	}
	n = bpf_probe_read_kernel_str(&s->out[s->walk.out & (HB_OUT - 1)], 16, task->comm);
	e->length[HB_STR_COMM] = n > 1 ? n - 1 : 0;
	s->walk.out += e->length[HB_STR_COMM];
	e->length[HB_STR_ARGS] = write_arguments(x->mm, x->arguments, x->detail[0], slot);
	return 0;
}

/* Write the record of an access. A record that finds no room is counted, and the decision stands. */
__noinline int report(struct hb_access *x)
{
	int slot = claim_scratch();
	struct hb_scratch *s;
	u32 verdict, size;
	long failed;

	if (!x)
		return 0;
	verdict = x->word >> 30;
	s = slot < 0 ? NULL : scratch_at(slot);
	if (!s) {
		count(HB_LOST_VIOLATIONS);
		return 0;
	}
	s->walk.top.depth = TABLE_OF(x->active);
	write_record(x, slot);
	size = s->walk.out & (HB_OUT - 1);
	if (verdict == HB_AUDIT || verdict == HB_REFUSE) {
		failed = bpf_ringbuf_output(&violations, s->out, size, 0);
		if (failed)
			count(HB_LOST_VIOLATIONS);
	} else {
		failed = bpf_ringbuf_output(&events, s->out, size, 0);
		if (failed)
			count(HB_LOST_EVENTS);
	}
	release_scratch(slot);
	return 0;
}

#endif
