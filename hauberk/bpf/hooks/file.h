/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Reads and writes, decided once, when a file is opened or an open one is received: so that reading and writing cost
 * nothing. The hot path of the whole engine is file_open.
 */
#include "../lib/verdict.h"

static __always_inline int open_as(struct file *file, u32 call, bool often)
{
	struct hb_access x = { .section = HB_FILE, .call = call };
	u32 flags = file->f_flags, mode = file->f_mode;
	struct dentry *d = file->f_path.dentry;
	struct hb_view v;

	/* overlayfs opens the real file behind a file already decided; running a file is decided at exec */
	if ((mode & (FMODE_NOACCOUNT | FMODE_PATH)) || (flags & FMODE_EXEC))
		return 0;
	if (!begin(&v, &x, HB_T_FILE | HB_T_SEE_FILE))
		return 0;
	x.dentry = (u64)d;
	x.mnt = (u64)file->f_path.mnt;
	x.owner = file->f_inode->i_uid.val;
	x.detail[0] = flags;
	if ((mode & FMODE_WRITE) || (flags & O_TRUNC))
		x.operations = 1u << HB_WRITE;
	if ((mode & FMODE_READ) || !x.operations)
		x.operations |= 1u << HB_READ;
	if (often)
		judge(&v, &x, d, false);
	else
		judge_slowly(&x, false);
	return conclude(&v, &x);
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
