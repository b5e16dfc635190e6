/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Activity that no rule speaks of, reported where it is to be seen. */
#ifndef HAUBERK_SEE_H
#define HAUBERK_SEE_H

#include "verdict.h"

/* `x` has the call, its details and its object. Returns 0, which permits. */
static __always_inline int see(struct hb_access *x, u32 section)
{
	struct hb_view v;

	if (!current_view(&v, HB_T_SEE))
		return 0;
	begin(&v, x);
	x->section = section & 3;
	x->owner = ~0u;
	x->word = WORD(HB_PERMIT, HB_RULE_NONE);
	conclude(&v, x);
	return 0;
}

/* The program of another task as the object of an access. */
static __always_inline void aim_at(struct hb_access *x, struct task_struct *task)
{
	struct file *exe = program_of(task);

	x->detail[1] = BPF_CORE_READ(task, tgid);
	if (exe) {
		x->dentry = (u64)BPF_CORE_READ(exe, f_path.dentry);
		x->mnt = (u64)BPF_CORE_READ(exe, f_path.mnt);
	}
}

#endif
