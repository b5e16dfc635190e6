/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Reads and writes, decided once, when a file is opened or an open one is received: so that reading and writing cost
 * nothing. The hot path of the whole engine is file_open.
 */
#include "../lib/control.h"

/* FMODE_READ and FMODE_WRITE, shifted, are the bits of these operations; without branches, of which the verifier would walk each */
_Static_assert(FMODE_READ << 2 == 1 << HB_READ && FMODE_WRITE << 2 == 1 << HB_WRITE && O_TRUNC >> 6 == 1 << HB_WRITE,
	       "");

static __always_inline u32 operations_of(u32 mode, u32 flags)
{
	u32 operations = (mode & (FMODE_READ | FMODE_WRITE)) << 2 | (flags & O_TRUNC) >> 6;

	asm volatile("" : "+r"(operations));
	return operations;
}

static __always_inline int open_as(struct file *file, u32 call, bool often)
{
	struct hb_view v;

	if (!current_view(&v, HB_T_FILE | HB_T_SEE))
		return 0;

	u32 flags = file->f_flags, mode = file->f_mode;
	struct dentry *d = file->f_path.dentry;
	/* overlayfs opens the real file behind a file already decided; running a file is decided at exec */
	if ((mode & (FMODE_NOACCOUNT | FMODE_PATH)) || (flags & FMODE_EXEC))
		return 0;

	u32 operations = operations_of(mode, flags), word = NOT_QUICK;

	if (often) {
		word = judge_quickly(&v, operations, d, file->f_inode, file->f_inode);
		if (is_quiet(&v, word))
			return 0;
	}
	struct hb_access x = {
		.dentry = (u64)d,
		.mnt = (u64)file->f_path.mnt,
		.operations = operations,
		.section = HB_FILE,
		.call = call,
		.owner = file->f_inode->i_uid.val,
		.detail = { flags },
		.word = word,
	};
	/* never quick, as only the root file system is */
	if (word == NOT_QUICK && (operations & 1u << HB_WRITE) && !(v.label->flags & HB_L_HOST) && controls_keeper(&x))
		x.word = WORD(HB_REFUSE, HB_RULE_GUARD);
	return conclude_in_full(&v, &x);
}

SEC("lsm/file_open")
int BPF_PROG(file_open, struct file *file)
{
	return open_as(file, HB_CALL_OPEN, true);
}

SEC("lsm/file_receive")
int BPF_PROG(file_receive, struct file *file)
{
	return open_as(file, HB_CALL_RECEIVE, false);
}
