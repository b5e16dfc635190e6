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

static __always_inline bool has_terminal(void)
{
	return bpf_get_current_task_btf()->signal->tty != NULL;
}

static __always_inline bool is_owner(u32 owner)
{
	return bpf_get_current_task_btf()->cred->fsuid.val == owner;
}

/* The verdict on all of an access's operations, at one of its object's names. */
static __always_inline u32 weigh(struct hb_view *v, u32 accept, struct hb_access *x, bool fresh)
{
	u32 row = DECISION(accept), value, word = WORD(HB_PERMIT, HB_RULE_NONE), shift = 0, condition = 0;
	u64 cell;

	if (!row)
		return word;
	value = by_class(v->a, row, v->label->program);
	if (value & VALUE_REPLACED)
		value = by_class(v->a, DECISION(value), v->label->replaced);
	if (!DECISION(value))
		return word;
	if (value & VALUE_CONDITIONAL) {
		condition = is_owner(x->owner) << 1 | has_terminal();
		shift = 2;
	}
	cell = DECISION(value) + condition * 4ull + ((u64)fresh << (shift + 3));
	if (x->operations & (1u << HB_EXEC | 1u << HB_READ))
		word = half_at(v->a, cell);
	/* Every Block that refuses a read refuses the write too: of two that refuse, the write knows the narrowest. */
	if (x->operations & (1u << HB_MAP | 1u << HB_WRITE))
		word = graver(half_at(v->a, cell + (4ull << shift)), word);
	return word;
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
	struct hb_view v;

	if (!x || !find_label(&v))
		return 0;
	v.active = x->active;
	x->word = graver(x->word, weigh(&v, accept, x, fresh & 1));
	return 0;
}

/*
 * Name a file and weigh each of its names, by the table of `x`. `exec`: by the automaton of process and file rules
 * together. Returns the automaton's state at the first name (0: none), for the move guard and for the program's class.
 */
__noinline int judge_slowly(struct hb_access *x, u32 exec)
{
	u32 first = 0;
	struct hb_view view, *v = &view;
	struct hb_scratch *s;
	int slot;

	if (!x)
		return 0;
	x->word = WORD(HB_REFUSE, HB_RULE_UNKNOWN);
	slot = claim_scratch();
	if (slot < 0)
		return 0;
	s = scratch_at(slot);
	if (!s || !find_label(v))
		goto out;
	v->active = x->active;
	s->walk.dentry = x->dentry;
	s->walk.mnt = x->mnt;
	s->walk.top.depth = TABLE_OF(v->active);
	s->walk.top.file_state = TABLE_FIELD(v, file_start);
	s->walk.top.exec_state = TABLE_FIELD(v, exec_start);
	name_object(s, slot, exec);
	if (s->walk.end == WALK_NAMELESS && !s->walk.roots && (x->operations & (1u << HB_EXEC)))
		s->walk.end = WALK_UNKNOWN;
	if (s->walk.end == WALK_UNKNOWN) {
		if (!(TABLE_FIELD(v, flags) & x->operations * HB_T_UNKNOWN_EXEC))
			x->word = WORD(HB_AUDIT, HB_RULE_UNKNOWN);
		goto out;
	}
	if (s->walk.end == WALK_NAMELESS && !(x->operations & (1u << HB_EXEC))) {
		x->word = NO_FILE;
		goto out;
	}
	x->word = WORD(HB_PERMIT, HB_RULE_NONE);
	first = s->walk.state_at[0];
	for (u32 n = 0; n < HB_ROOTS; n++) {
		if (n >= s->walk.roots)
			break;
		weigh_name(x, accept_of(v->a, s->walk.state_at[n]), s->walk.fresh);
	}
	if (s->walk.own && x->operations == 1u << HB_READ && RULE(x->word) == HB_RULE_POSTURE &&
	    (TABLE_FIELD(v, flags) & HB_T_OWN))
		x->word = WORD(HB_ALLOWED, HB_RULE_NONE);
out:
	release_scratch(slot);
	return first;
}

/* Put the access under the view's table, so that all that is asked of it is answered by one. */
static __always_inline void begin(struct hb_view *v, struct hb_access *x)
{
	x->active = v->active;
	x->workload = v->label->workload;
}

/* The cheap way first. For hooks whose dentry is typed. */
static __always_inline u32 judge(struct hb_view *v, struct hb_access *x, struct dentry *d, bool exec)
{
	u64 state = fast_walk(v, d, exec ? TABLE_FIELD(v, exec_start) : TABLE_FIELD(v, file_start));

	if (state & SLOW)
		return judge_slowly(x, exec);
	x->word = weigh(v, accept_of(v->a, state), x, false);
	return state;
}

#endif
