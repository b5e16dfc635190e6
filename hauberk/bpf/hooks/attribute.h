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

	if (!begin(&v, &x, HB_T_FILE | HB_T_SEE_FILE))
		return 0;
	x.dentry = (u64)d;
	x.owner = BPF_CORE_READ(d, d_inode, i_uid.val);
	judge_slowly(&x, false);
	/*
	 * overlayfs repeats the change on its upper layer, with the mounter's credentials, on a superblock that the workload
	 * does not see: decided already, by the name in the overlay.
	 */
	if ((x.cell & HB_RULE_MASK) == HB_RULE_UNKNOWN && bpf_get_current_task_btf()->cred != bpf_get_current_task_btf()->real_cred)
		return 0;
	return conclude(&v, &x);
}

/* chmod, chown and truncate have path hooks; what is left is utimes. */
static __always_inline bool sets_times_only(struct iattr *attr)
{
	u32 valid = attr->ia_valid;

	return (valid & (ATTR_ATIME | ATTR_MTIME)) && !(valid & (ATTR_MODE | ATTR_UID | ATTR_GID | ATTR_SIZE));
}

SEC("lsm/inode_setattr")
int BPF_PROG(inode_setattr, void *idmap, struct dentry *dentry, struct iattr *attr)
{
	return sets_times_only(attr) ? change_attribute(dentry, HB_CALL_SETATTR) : 0;
}

/* Until 6.3 the hook had no idmap (commit c1632a0f1120, "fs: port ->setattr() to pass mnt_idmap" and its series). */
SEC("lsm/inode_setattr")
int BPF_PROG(inode_setattr_compat, struct dentry *dentry, struct iattr *attr)
{
	return sets_times_only(attr) ? change_attribute(dentry, HB_CALL_SETATTR) : 0;
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
