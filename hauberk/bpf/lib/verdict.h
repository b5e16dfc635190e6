/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* From accept words to a verdict. All of a policy's meaning was resolved into cells when the table was compiled. */
#ifndef HAUBERK_VERDICT_H
#define HAUBERK_VERDICT_H

#include "report.h"

#define WORD(verdict, rule) ((u32)(verdict) << 30 | (rule))
#define VERDICT(word) ((word) >> 30)
#define RULE(word) ((word) & HB_RULE_MASK)
/* Permitted, and no access to report: pipes, sockets, what overlayfs opens in its layers. */
#define NO_FILE WORD(HB_PERMIT, HB_RULE_UNKNOWN)

/* Of two verdicts, the one that refuses, else the one that alerts; a rule's before a posture's. */
static __always_inline u32 rank(u32 word)
{
	/* permit 0, audit 2, refuse 4, allowed 0; a table, since each branch is another path for the verifier */
	return (0x0420 >> VERDICT(word) * 4 & 0xf) + (RULE(word) < HB_RULE_POSTURE);
}

static __always_inline u32 graver(u32 a, u32 b)
{
	return rank(b) > rank(a) ? b : a;
}

/*
 * What a conditional cell asks of the subject: does it own the object, and has it a terminal? Read without types: at each
 * typed load from the current task 6.12's verifier searches all of the kernel's BTF (btf_nested_type_is_trusted).
 */
__noinline u32 conditions_of(u32 owner, u64 of)
{
	struct task_struct *task = (void *)(of ?: bpf_get_current_task());

	return (BPF_CORE_READ(task, cred, fsuid.val) == owner) << 1 | (BPF_CORE_READ(task, signal, tty) != NULL);
}

/* What a table says of a subject at an accept word: a value with DECISION and flags. */
static __always_inline u32 value_for(struct hb_view *v, u32 accept, u32 program, u32 replaced)
{
	u32 row = DECISION(accept), value;

	if (!row)
		return 0;
	value = by_class(v->a, row, program);
	return value & VALUE_REPLACED ? by_class(v->a, DECISION(value), replaced) : value;
}

/* The verdict on all of an access's operations by such a value. `condition`: of conditions_of(), if it is conditional. */
static __always_inline u32 word_for(struct hb_view *v, u32 value, u32 condition, u32 operations, bool fresh)
{
	u32 word = WORD(HB_PERMIT, HB_RULE_NONE), shift = value & VALUE_CONDITIONAL ? 2 : 0;
	u64 cell;

	if (!DECISION(value))
		return word;
	cell = DECISION(value) + condition * 4ull + ((u64)fresh << (shift + 3));
	if (operations & (1u << HB_EXEC | 1u << HB_READ))
		word = half_at(v->a, cell);
	/* Every Block that refuses a read refuses the write too: of two that refuse, the write knows the narrowest. */
	if (operations & (1u << HB_MAP | 1u << HB_WRITE))
		word = graver(half_at(v->a, cell + (4ull << shift)), word);
	return word;
}

/* The verdict on an access at one of its object's names. */
static __always_inline u32 weigh(struct hb_view *v, u32 accept, struct hb_access *x, bool fresh)
{
	u32 value = value_for(v, accept, x->program, x->replaced), condition = 0;

	if (value & VALUE_CONDITIONAL)
		condition = conditions_of(x->owner, x->task) & 3;
	return word_for(v, value, condition, x->operations, fresh);
}

/* Report if there is something to report; what the hook returns. */
static __always_inline int conclude(struct hb_view *v, struct hb_access *x)
{
	u32 verdict = VERDICT(x->word);

	if (verdict == HB_REFUSE || verdict == HB_AUDIT ||
	    ((v->active & HB_T_SEE) && x->word != NO_FILE &&
	     (TABLE_FIELD(v, flags) & (HB_T_SEE_PROCESS << x->section))))
		report(x);
	if (verdict == HB_REFUSE)
		return -EACCES;
	return 0;
}

/* The same for one of several names, into what was weighed before. */
__noinline int weigh_name(struct hb_access *x, u32 accept, u32 fresh)
{
	struct hb_view v = { .a = get_arena_slowly() };

	if (!x || !v.a.base)
		return 0;
	v.active = x->active;
	x->word = graver(x->word, weigh(&v, accept, x, fresh & 1));
	return 0;
}

struct hb_naming {
	struct hb_link_key key;
	struct hb_access *x;
	u32 exec;
};

static long weigh_link(u32 i, struct hb_naming *n)
{
	struct hb_arena a = get_arena_slowly();
	struct hb_access *x = n->x;
	struct hb_link *l;

	n->key.number = i;
	l = bpf_map_lookup_elem(&links, &n->key);
	if (!l || !x || !a.base)
		return 1;
	weigh_name(x, accept_of(a, n->exec ? l->exec_state : l->file_state), 0);
	return 0;
}

/* Weigh the names that the object had beside when the table was made. */
__noinline int weigh_links(struct hb_access *x, u32 exec)
{
	struct hb_naming n = { .x = x, .exec = exec };
	struct inode *inode;
	struct dentry *d;

	if (!x)
		return 0;
	d = (void *)x->dentry;
	inode = BPF_CORE_READ(d, d_inode);
	if (BPF_CORE_READ(inode, i_nlink) < 2)
		return 0;
	n.key.table = TABLE_OF(x->active);
	n.key.dev = BPF_CORE_READ(inode, i_sb, s_dev);
	n.key.ino = BPF_CORE_READ(inode, i_ino);
	n.key.generation = BPF_CORE_READ(inode, i_generation);
	call_back(HB_LINK_NAMES, weigh_link, &n);
	return 0;
}

/*
 * Name a file and weigh each of its names, by the table of `x`. `exec`: by the automaton of process and file rules
 * together. Returns the automaton's state at the first name (0: none), for the move guard and for the program's class.
 */
__noinline int judge_slowly(struct hb_access *x, u32 exec)
{
	struct hb_view view = { .a = get_arena_slowly() }, *v = &view;
	struct hb_scratch *s;
	u32 first = 0;
	int slot;

	if (!x)
		return 0;
	x->word = WORD(HB_REFUSE, HB_RULE_UNKNOWN);
	slot = claim_scratch();
	if (slot < 0) {
		count(HB_NO_SCRATCH);
		return 0;
	}
	s = scratch_at(slot);
	if (!s || !v->a.base)
		goto out;
	v->active = x->active;
	s->walk.dentry = x->dentry;
	s->walk.mnt = x->mnt;
	s->walk.task = x->task;
	s->walk.wants_home = v->active & HB_T_BLOCKS;
	s->walk.top.depth = TABLE_OF(v->active);
	s->walk.top.file_state = TABLE_FIELD(v, file_start);
	s->walk.top.exec_state = TABLE_FIELD(v, exec_start);
	name_object(s, slot, exec);
	if (s->walk.end == WALK_NAMELESS && !s->walk.roots && (x->operations & (1u << HB_EXEC)))
		s->walk.end = WALK_UNKNOWN;
	if (s->walk.end == WALK_NAMELESS && !(x->operations & (1u << HB_EXEC))) {
		x->word = NO_FILE;
		goto out;
	}
	if (s->walk.end == WALK_UNKNOWN) {
		if (!(TABLE_FIELD(v, flags) & x->operations * HB_T_UNKNOWN_EXEC))
			x->word = WORD(HB_AUDIT, HB_RULE_UNKNOWN);
	} else {
		x->word = WORD(HB_PERMIT, HB_RULE_NONE);
		first = s->walk.state_at[0];
		for (u32 n = 0; n < HB_ROOTS; n++) {
			if (n >= s->walk.roots)
				break;
			weigh_name(x, accept_of(v->a, s->walk.state_at[n]), s->walk.fresh);
		}
		if (x->operations == 1u << HB_READ && RULE(x->word) == HB_RULE_POSTURE &&
		    (TABLE_FIELD(v, flags) & HB_T_OWN) && is_own(slot))
			x->word = WORD(HB_ALLOWED, HB_RULE_NONE);
	}
	if (v->active & HB_T_BLOCKS)
		weigh_links(x, exec);
	if (s->walk.at_home)
		weigh_name(x, accept_of(v->a, s->walk.state_at[s->walk.roots & HB_ROOTS]), 1);
out:
	release_scratch(slot);
	return first;
}

/*
 * Classes of programs are numbers of one table. After a switch to other numbers each task finds its own anew, when it first
 * needs it: from the file that it runs. Which program its last exec replaced, that file does not tell: none.
 */
__noinline int renew_label(u64 active)
{
	struct hb_access x = { .active = active };
	struct hb_view v = { .a = get_arena_slowly(), .label = current_label(), .active = active };
	struct file *exe;
	u32 state, workload;

	if (!v.label || !v.a.base)
		return 0;
	workload = *(volatile u32 *)&v.label->workload;
	if (v.label->generation >= *(volatile u32 *)&numbered_since[workload & (HB_WORKLOADS - 1)]) {
		number_label(v.label, workload, active >> 32);
		return 0;
	}
	v.label->replaced = 0;
	v.label->program = 0;
	exe = BPF_CORE_READ(bpf_get_current_task_btf(), mm, exe_file);
	if (exe) {
		x.dentry = (u64)BPF_CORE_READ(exe, f_path.dentry);
		x.mnt = (u64)BPF_CORE_READ(exe, f_path.mnt);
		state = judge_slowly(&x, true);
		/* no room for the walk: the next access tries again */
		if (x.word == WORD(HB_REFUSE, HB_RULE_UNKNOWN))
			return 0;
		v.label->program = class_of(program_at(v.a, state));
	}
	number_label(v.label, workload, active >> 32);
	return 0;
}

/* Put the access under the view's table, so that all that is asked of it is answered by one. */
static __always_inline void begin(struct hb_view *v, struct hb_access *x)
{
	x->active = v->active;
	x->workload = v->label->workload;
	x->program = v->label->program;
	x->replaced = v->label->replaced;
}

/* A directory's links are its own entries. */
static __always_inline bool has_other_names(struct hb_view *v, struct inode *inode)
{
	return inode->i_nlink > 1 && (v->active & HB_T_BLOCKS) && (inode->i_mode & S_IFMT) != S_IFDIR;
}

/* By the automaton of process and file rules together, the cheap way first. For hooks whose dentry is typed. */
static __always_inline u32 judge(struct hb_view *v, struct hb_access *x, struct dentry *d, struct inode *inode)
{
	u64 state;

	if (inode && has_other_names(v, inode))
		return judge_slowly(x, true);
	state = fast_walk(v, d, TABLE_FIELD(v, exec_start));
	if ((long)state < 0)
		return judge_slowly(x, true);
	x->word = weigh(v, accept_of(v->a, state), x, false);
	return state;
}

#define NOT_QUICK WORD(HB_REFUSE, HB_RULE_MASK)

/*
 * The verdict of file rules the cheap way, or NOT_QUICK. For the hooks that are passed most: nothing is written down for it,
 * as most accesses are permitted and reported to nobody. `owner`: the inode whose owner counts. `inode` is NULL, in the
 * source, where there is none yet: the verifier of 6.12 holds a dentry's d_inode for never NULL, drops every check of it,
 * and the kernel oopses.
 */
static __always_inline u32 judge_quickly(struct hb_view *v, u32 operations, struct dentry *d, struct inode *inode,
					 struct inode *owner)
{
	u32 value, condition = 0;
	u64 state;

	if (inode && has_other_names(v, inode))
		return NOT_QUICK;
	state = fast_walk(v, d, TABLE_FIELD(v, file_start));
	if ((long)state < 0)
		return NOT_QUICK;
	value = value_for(v, accept_of(v->a, state), v->label->program, v->label->replaced);
	if (value & VALUE_CONDITIONAL)
		condition = conditions_of(owner->i_uid.val, 0) & 3;
	return word_for(v, value, condition, operations, false);
}

/* What a verdict of the cheap way leaves to do: what it is if there was none, the report, and what the hook returns. */
static __always_inline int conclude_in_full(struct hb_view *v, struct hb_access *x)
{
	begin(v, x);
	if (x->word == NOT_QUICK)
		judge_slowly(x, false);
	return conclude(v, x);
}

/* Neither refused nor to be reported. */
static __always_inline bool is_quiet(struct hb_view *v, u32 word)
{
	return (VERDICT(word) == HB_PERMIT || VERDICT(word) == HB_ALLOWED) && !(v->active & HB_T_SEE);
}

#endif
