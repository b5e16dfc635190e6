/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* An access, as a hook sees it. */
#ifndef HAUBERK_ACCESS_H
#define HAUBERK_ACCESS_H

#include "scratch.h"

struct hb_access {
	u64 dentry; /* 0: not a file */
	u64 mnt; /* of a socket call struct msghdr, for what it sends */
	/*
	 * The other end of a rename or link; of an exec struct linux_binprm, for the arguments; of a socket call the address, or
	 * the struct sock that has it; of a mount the arguments of the hook
	 */
	u64 other;
	u64 task; /* whose access it is; 0: the current task's */
	u32 operations; /* bits 1 << enum hb_operation; more than one for an open that reads and writes */
	u16 call;
	u8 section;
	u32 owner; /* uid of the object's owner, or of the directory in which it will be made */
	u32 detail[4];
	u32 word; /* the verdict on it */
	u32 workload;
	u32 program; /* classes of the subject: struct hb_label */
	u32 replaced;
	u64 active; /* the table that decided, and its generation above */
};

static __always_inline u64 other_end(const struct hb_access *x)
{
	return x->call == HB_CALL_LINK || x->call == HB_CALL_RENAME ? x->other : 0;
}

#endif
