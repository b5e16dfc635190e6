/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* From a system call that returns to a record in the violations' ring. */
#ifndef HAUBERK_SYSCALL_H
#define HAUBERK_SYSCALL_H

#include "report.h"

/* What the cookie says of a call; hauberk/enforcers/bpf_lsm/plans.py writes it. Four bits for each argument's place. */
#define PLAN_NUMBER(plan) ((u32)(plan) & 0xffff)
#define PLAN_32BIT (1ull << 16) /* of x86: the arguments are where 32-bit programs put them */
#define PLAN_NEW_CWD (1ull << 17) /* once done, its object is the working directory */
#define PLAN_NEW_ROOT (1ull << 18) /* or the root directory */
#define PLAN_DIR(plan, which) ((u32)((plan) >> (20 + 8 * (which))) & 15)
#define PLAN_PATH(plan, which) ((u32)((plan) >> (24 + 8 * (which))) & 15)
#define PLAN_WORD(plan, which) ((u32)((plan) >> (36 + 4 * (which))) & 15)
#define PLAN_NONE 15u
#define PLAN_CWD 14u /* for a directory: the working one */
#define PLAN_ITSELF 14u /* for a path: none, what is meant is the directory's descriptor itself */

#define HB_NAMED_CALLS 65536u /* of all workloads together */

#define AT_FDCWD (-100)
#define EINTR 4
#define ERESTARTSYS 512 /* include/linux/errno.h: these never reach user space */
#define ERESTART_RESTARTBLOCK 516

struct fs_struct___root {
	struct path root;
} __attribute__((preserve_access_index));

#ifdef __TARGET_ARCH_x86
struct pt_regs___x86 {
	unsigned long bp, bx, r10, r9, r8, cx, dx, si, di;
} __attribute__((preserve_access_index));
#else
/* uapi/asm/ptrace.h */
struct user_pt_regs {
	u64 regs[31];
};
#endif

/* workload << 32 | number of the call -> 1: some rule for the workload names it */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, HB_NAMED_CALLS);
	__type(key, u64);
	__type(value, u8);
} calls SEC(".maps");

/* What a call was given; as many as there are scratches, each with the scratch of its number. */
struct hb_given {
	u64 argument[8];
	u64 dentry[2]; /* where each path starts; 0: there is no such path */
	u64 mnt[2];
	u32 length[2]; /* of each path with its NUL; 0: what is meant is where it starts */
	u32 unread[2]; /* the path could not be read */
	u8 path[2][HB_PATH + 8];
};

struct hb_given given[HB_SCRATCHES];

static __always_inline struct hb_given *given_at(u32 slot)
{
	asm volatile("" : "+r"(slot));
	return &given[slot & (HB_SCRATCHES - 1)];
}

static __always_inline void read_arguments(struct hb_given *g, u64 address, u64 plan)
{
#ifdef __TARGET_ARCH_x86
	struct pt_regs___x86 *regs = (void *)address;

	if (plan & PLAN_32BIT) {
		g->argument[0] = (u32)BPF_CORE_READ(regs, bx);
		g->argument[1] = (u32)BPF_CORE_READ(regs, cx);
		g->argument[2] = (u32)BPF_CORE_READ(regs, dx);
		g->argument[3] = (u32)BPF_CORE_READ(regs, si);
		g->argument[4] = (u32)BPF_CORE_READ(regs, di);
		g->argument[5] = (u32)BPF_CORE_READ(regs, bp);
	} else {
		g->argument[0] = BPF_CORE_READ(regs, di);
		g->argument[1] = BPF_CORE_READ(regs, si);
		g->argument[2] = BPF_CORE_READ(regs, dx);
		g->argument[3] = BPF_CORE_READ(regs, r10);
		g->argument[4] = BPF_CORE_READ(regs, r8);
		g->argument[5] = BPF_CORE_READ(regs, r9);
	}
#else
	bpf_probe_read_kernel(g->argument, 6 * sizeof(u64), (void *)address);
#endif
}

static __always_inline struct path *file_path(int fd)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file **files, *file = NULL;

	if (fd < 0 || !table || (u32)fd >= BPF_CORE_READ(table, max_fds))
		return NULL;
	files = BPF_CORE_READ(table, fd);
	bpf_probe_read_kernel(&file, sizeof(file), &files[fd]);
	return file ? (void *)((u64)file + bpf_core_field_offset(struct file, f_path)) : NULL;
}

/* One of the paths that the call was given, and where it starts. */
__noinline int find_given(u32 slot, u64 plan, u32 which, int result)
{
	struct hb_given *g = given_at(slot);
	struct fs_struct *fs = BPF_CORE_READ(bpf_get_current_task_btf(), fs);
	u64 cwd = (u64)fs + bpf_core_field_offset(struct fs_struct, pwd);
	u64 root = (u64)fs + bpf_core_field_offset(struct fs_struct___root, root);
	u32 dir = PLAN_DIR(plan, which & 1), path = PLAN_PATH(plan, which & 1);
	u64 start = cwd, from;
	long n = 0;

	which &= 1;
	g->dentry[which] = g->mnt[which] = 0;
	g->length[which] = g->unread[which] = 0;
	if (path == PLAN_NONE)
		return 0;
	from = path == PLAN_ITSELF ? 0 : g->argument[path & 7];
	if (!result && (plan & (PLAN_NEW_CWD | PLAN_NEW_ROOT))) {
		start = plan & PLAN_NEW_ROOT ? root : cwd;
		from = 0;
	} else if (dir != PLAN_CWD && (int)g->argument[dir & 7] != AT_FDCWD) {
		start = (u64)file_path(g->argument[dir & 7]);
	}
	if (from) {
		n = bpf_probe_read_user_str(g->path[which], HB_PATH, (void *)from);
		if (n <= 0) {
			g->unread[which] = 1;
			return 0;
		}
		/* apart from the test above, or clang makes one of both that tells the verifier nothing */
		asm volatile("" : "+r"(n));
		if (n > HB_PATH)
			return 0;
		g->length[which] = n;
		if (g->path[which][0] == '/')
			start = root;
	}
	/* the digest goes by words */
	__builtin_memset(&g->path[which][n], 0, 8);
	if (start) {
		bpf_probe_read_kernel(&g->dentry[which], 8,
				      (void *)(start + bpf_core_field_offset(struct path, dentry)));
		bpf_probe_read_kernel(&g->mnt[which], 8, (void *)(start + bpf_core_field_offset(struct path, mnt)));
	}
	return 0;
}

struct hb_text {
	u32 slot;
	u32 which;
};

static long digest_path(u32 i, struct hb_text *t)
{
	struct hb_scratch *s = scratch_at(t->slot);
	struct hb_given *g = given_at(t->slot);

	s->digest = mix(s->digest, ((u64 *)g->path[t->which & 1])[i & (HB_PATH / 8 - 1)]);
	return 0;
}

__noinline int digest_given(u32 slot, u32 which)
{
	struct hb_text text = { slot, which };
	struct hb_given *g = given_at(slot);
	u32 length = g->length[which & 1];

	scratch_at(slot)->digest = mix(scratch_at(slot)->digest, (u64)g->unread[which & 1] << 32 | length);
	digest_dentry(g->dentry[which & 1], slot);
	bpf_loop((length + 7) / 8, digest_path, &text, 0);
	return 0;
}

/* Append where the path starts, and the path. */
__noinline int write_given(u32 slot, u32 which)
{
	struct hb_scratch *s = scratch_at(slot);
	struct hb_given *g = given_at(slot);
	u32 n;

	which &= 1;
	if (!g->dentry[which] && !g->unread[which])
		return 0;
	if (!g->unread[which])
		write_path(g->dentry[which], g->mnt[which], slot);
	s->out[s->walk.out++ & (HB_OUT - 1)] = 0;
	n = g->length[which] & (2 * HB_PATH - 1);
	asm volatile("" : "+r"(n));
	if (n > HB_PATH)
		return 0;
	if (n) {
		bpf_probe_read_kernel(&s->out[s->walk.out & (HB_OUT - 1)], n, g->path[which]);
		s->walk.out += n;
	} else {
		s->out[s->walk.out++ & (HB_OUT - 1)] = 0;
	}
	return 0;
}

static __always_inline void write_call(struct hb_access *x, u32 slot)
{
	struct hb_scratch *s = scratch_at(slot);
	u32 begin;

	write_record(x, slot);
	begin = s->walk.out;
	write_given(slot, 0);
	write_given(slot, 1);
	((struct hb_event *)s->out)->length[HB_STR_ARGS] = s->walk.out - begin;
}

/* As report_violation() does it. */
__noinline int report_call(struct hb_access *x, u32 slot)
{
	struct hb_scratch *s = scratch_at(slot);
	struct hb_repeat *r;
	int window, place;

	if (!x)
		return 0;
	digest_access(x, s, slot);
	digest_given(slot, 0);
	digest_given(slot, 1);
	window = enter_window();
	place = window < 0 ? -1 : find_place(window, slot);
	r = repeat_at(place);
	if (place >= 0 && *(volatile u64 *)&r->told) {
		count_repeat(r);
	} else {
		write_call(x, slot);
		if (place >= 0) {
			((struct hb_event *)s->out)->slot = place + 1;
			r->workload = x->workload;
			r->generation = x->active >> 32;
			r->rule = x->word & HB_RULE_MASK;
			r->verdict = x->word >> 30;
			r->section = x->section;
			r->call = x->call;
		}
		if (send_violation(s) && place >= 0)
			*(volatile u64 *)&r->told = 1;
	}
	if (window >= 0)
		leave_window(window);
	return 0;
}

/* What is not an errno is a success, an address in the upper half included. */
static __always_inline int result_of(long returned)
{
	if (returned >= 0 || returned < -4095)
		return 0;
	return returned <= -ERESTARTSYS && returned >= -ERESTART_RESTARTBLOCK ? -EINTR : returned;
}

/* A system call of the current task returns, or begins. */
static __always_inline int audit(u64 regs, int result, u64 plan)
{
	struct hb_access x = { .section = HB_SYSCALLS, .call = HB_CALL_SYSCALL };
	struct hb_label *label = current_label();
	struct hb_given *g;
	u64 key;
	int slot;

	if (!label)
		return 0;
	x.workload = label->workload;
	key = (u64)x.workload << 32 | PLAN_NUMBER(plan);
	if (!bpf_map_lookup_elem(&calls, &key))
		return 0;
	x.active = *(volatile u64 *)&workload_of(label)->table;
	if (!TABLE_OF(x.active))
		return 0;
	slot = claim_scratch();
	if (slot < 0) {
		count(HB_LOST_VIOLATIONS);
		return 0;
	}
	g = given_at(slot);
	read_arguments(g, regs, plan);
	find_given(slot, plan, 0, result);
	find_given(slot, plan, 1, result);
	x.word = (u32)HB_AUDIT << 30 | HB_RULE_SYSCALL;
	x.owner = ~0u;
	x.detail[0] = PLAN_NUMBER(plan);
	x.detail[1] = result;
	if (PLAN_WORD(plan, 0) != PLAN_NONE)
		x.detail[2] = g->argument[PLAN_WORD(plan, 0) & 7];
	if (PLAN_WORD(plan, 1) != PLAN_NONE)
		x.detail[3] = g->argument[PLAN_WORD(plan, 1) & 7];
	scratch_at(slot)->walk.top.depth = TABLE_OF(x.active);
	report_call(&x, slot);
	release_scratch(slot);
	return 0;
}

#endif
