/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Times, extended attributes and ACLs. Their hooks carry no mount, so that a file on a superblock that was mounted after the
 * workload began has no name here.
 */
#include "../lib/verdict.h"

static __noinline int change_attribute(struct dentry *d, u32 call)
{
	struct hb_access x = { .operations = 1u << HB_WRITE, .section = HB_FILE, .call = call };
	struct hb_view v;

	if (!current_view(&v, HB_T_FILE | HB_T_SEE))
		return 0;
	begin(&v, &x);
	x.dentry = (u64)d;
	x.owner = BPF_CORE_READ(d, d_inode, i_uid.val);
	judge_slowly(&x, false);
	/*
	 * overlayfs repeats the change on its upper layer, with the mounter's credentials, on a superblock that the workload
	 * does not see: decided already, by the name in the overlay.
	 */
	if (RULE(x.word) == HB_RULE_UNKNOWN && on_lent_credentials())
		return 0;
	return conclude(&v, &x);
}

/*
 * chmod, chown and truncate have path hooks; what is left is utimes. The hook got a first argument more in 6.3 (an idmap), so
 * the arguments are taken from the end.
 */
SEC("lsm/inode_setattr")
int inode_setattr(u64 *ctx)
{
	u64 count = bpf_get_func_arg_cnt(ctx), dentry = 0, attr = 0;
	u32 valid;

	bpf_get_func_arg(ctx, count - 2, &dentry);
	bpf_get_func_arg(ctx, count - 1, &attr);
	valid = BPF_CORE_READ((struct iattr *)attr, ia_valid);
	if (!(valid & (ATTR_ATIME | ATTR_MTIME)) || (valid & (ATTR_MODE | ATTR_UID | ATTR_GID | ATTR_SIZE)))
		return 0;
	return change_attribute((struct dentry *)dentry, HB_CALL_SETATTR);
}

SEC("lsm/inode_setxattr")
int BPF_PROG(inode_setxattr, void *idmap, struct dentry *dentry)
{
	return change_attribute(dentry, HB_CALL_SETXATTR);
}

SEC("lsm/inode_removexattr")
int BPF_PROG(inode_removexattr, void *idmap, struct dentry *dentry)
{
	return change_attribute(dentry, HB_CALL_REMOVEXATTR);
}

/* 6.2 and later; before, an ACL is set as an extended attribute. */
SEC("lsm/inode_set_acl")
int BPF_PROG(inode_set_acl, void *idmap, struct dentry *dentry)
{
	return change_attribute(dentry, HB_CALL_SETACL);
}
