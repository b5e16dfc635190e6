/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * From a decision to a record in a ring: who did what to which object, in full, so that user space need not guess. Of a
 * violation that is like one before, only a count (repeats.h).
 */
#ifndef HAUBERK_REPORT_H
#define HAUBERK_REPORT_H

#include "address.h"
#include "arguments.h"
#include "lineage.h"
#include "repeats.h"
#include "slow_walk.h"
#include "text.h"

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
	struct hb_arena a = get_arena_slowly();
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
	call_back(depth, write_component, &slot);
	if (s->walk.out == begin) {
		s->out[begin & (HB_OUT - 1)] = '/';
		s->walk.out = begin + 1;
	}
	return s->walk.out - begin;
}

static __always_inline struct file *program_of(struct task_struct *task)
{
	return BPF_CORE_READ(task, mm, exe_file);
}

static __always_inline u32 write_program(struct task_struct *task, u32 slot)
{
	struct file *exe = program_of(task);

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

__noinline int write_record(struct hb_access *x, u32 slot)
{
	struct hb_scratch *s = scratch_at(slot);
	struct task_struct *task, *parent;
	struct tty_struct *tty;
	struct hb_event *e;
	long n;

	if (!s || !x)
		return 0;
	task = (void *)(x->task ?: bpf_get_current_task());
	parent = BPF_CORE_READ(task, real_parent);
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
	e->uid = BPF_CORE_READ(task, cred, uid.val);
	e->owner = x->owner;
	e->slot = 0;
	e->login = e->session = ~0u;
	if (bpf_core_field_exists(task->loginuid)) {
		e->login = BPF_CORE_READ(task, loginuid.val);
		e->session = BPF_CORE_READ(task, sessionid);
	}
	e->flags = 0;
	__builtin_memcpy(e->detail, x->detail, sizeof(e->detail));
	s->walk.out = sizeof(*e);
	e->length[HB_STR_OBJECT] = write_path(x->dentry, x->mnt, slot);
	e->length[HB_STR_OTHER] = write_path(other_end(x), x->mnt, slot);
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
	e->length[HB_STR_ADDRESS] = write_address(x, slot);
	e->length[HB_STR_TEXT] = write_text(x, slot);
	e->length[HB_STR_ANCESTRY] = write_ancestry((u64)task, slot);
	e->length[HB_STR_ARGS] = write_arguments(x->call == HB_CALL_EXEC ? x->other : 0, slot);
	return 0;
}

/* Everything in which repeats of a violation are alike: what decided, who asks by which program, and for what. */
static __always_inline void digest_access(struct hb_access *x, struct hb_scratch *s, u32 slot)
{
	struct file *exe = program_of((void *)bpf_get_current_task());
	u64 digest;

	digest = mix(x->active >> 32, (u64)x->workload << 32 | x->word);
	digest = mix(digest, (u64)x->section << 32 | x->call);
	digest = mix(digest, (u64)x->operations << 32 | (u32)bpf_get_current_uid_gid());
	digest = mix(digest, (u64)x->detail[0] << 32 | x->detail[1]);
	s->digest = mix(digest, (u64)x->detail[2] << 32 | x->detail[3]);
	digest_dentry(x->dentry, slot);
	digest_dentry(other_end(x), slot);
	digest_dentry(exe ? (u64)BPF_CORE_READ(exe, f_path.dentry) : 0, slot);
	digest_address(x, slot);
}

static __always_inline bool send_violation(struct hb_scratch *s)
{
	if (!bpf_ringbuf_output(&violations, s->out, s->walk.out & (HB_OUT - 1), 0))
		return true;
	count(HB_LOST_VIOLATIONS);
	return false;
}

/*
 * A violation becomes a record, or one more in the count of a record like it that was sent. While none was sent, because the
 * ring has no room, each one tries; and several at one time may all become records.
 */
static __always_inline void report_violation(struct hb_access *x, struct hb_scratch *s, u32 slot)
{
	struct hb_repeat *r;
	int window, place;

	digest_access(x, s, slot);
	window = enter_window();
	place = window < 0 ? -1 : find_place(window, slot);
	r = repeat_at(place);
	if (place >= 0 && *(volatile u64 *)&r->told) {
		count_repeat(r);
	} else {
		write_record(x, slot);
		if (place >= 0) {
			struct hb_event *e = (struct hb_event *)s->out;

			e->slot = place + 1;
			r->workload = e->workload;
			r->generation = e->generation;
			r->rule = e->rule;
			r->verdict = e->verdict;
			r->section = e->section;
			r->call = e->call;
		}
		if (send_violation(s) && place >= 0)
			*(volatile u64 *)&r->told = 1;
	}
	if (window >= 0)
		leave_window(window);
}

/* Report an access. A record that finds no room is counted, and the decision stands. */
__noinline int report(struct hb_access *x)
{
	int slot = claim_scratch();
	struct hb_scratch *s;
	bool violation;

	if (!x)
		return 0;
	violation = x->word >> 30 == HB_AUDIT || x->word >> 30 == HB_REFUSE;
	s = slot < 0 ? NULL : scratch_at(slot);
	if (!s) {
		count(violation ? HB_LOST_VIOLATIONS : HB_LOST_EVENTS);
		return 0;
	}
	s->walk.top.depth = TABLE_OF(x->active);
	if (violation) {
		report_violation(x, s, slot);
	} else {
		write_record(x, slot);
		if (bpf_ringbuf_output(&events, s->out, s->walk.out & (HB_OUT - 1), 0))
			count(HB_LOST_EVENTS);
	}
	release_scratch(slot);
	return 0;
}

#endif
