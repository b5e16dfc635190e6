/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Times, extended attributes, ACLs and the flags of chattr. The first three's hooks carry no mount.
 */
#include "../lib/harm.h"

/*
 * A mount of the superblock: for names on one that the workload did not see when it began. Where it is mounted more than
 * once, the name is that by one of its mounts.
 */
static __always_inline u64 some_mount_of(struct super_block *sb)
{
	u64 first = (u64)BPF_CORE_READ(sb, s_mounts.next);

	if (first == (u64)sb + bpf_core_field_offset(struct super_block, s_mounts))
		return 0;
	return first - bpf_core_field_offset(struct mount, mnt_instance) + bpf_core_field_offset(struct mount, mnt);
}

static __noinline int change_attribute(struct dentry *d, u32 call)
{
	struct hb_access x = { .operations = 1u << HB_WRITE, .section = HB_FILE, .call = call };
	struct hb_view v;

	if (!current_view(&v, HB_T_FILE | HB_T_SEE))
		return 0;
	begin(&v, &x);
	x.dentry = (u64)d;
	if (!on_lent_credentials())
		x.mnt = some_mount_of(BPF_CORE_READ(d, d_sb));
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

/* Flags such as immutable are set through any descriptor, also one that was opened for reading. */
static __always_inline int control(struct file *file, u32 command)
{
	struct hb_access x = { .operations = 1u << HB_WRITE, .section = HB_FILE, .call = HB_CALL_IOCTL };
	struct hb_view v;

	if (command == TIOCSTI || command == TIOCLINUX)
		return refuse_harm(HB_PROCESS, HB_CALL_TYPE, command, 0);
	if (command != FS_IOC_SETFLAGS && command != FS_IOC32_SETFLAGS && command != FS_IOC_FSSETXATTR &&
	    command != FS_IOC_ENABLE_VERITY)
		return 0;
	if (!current_view(&v, HB_T_FILE | HB_T_SEE))
		return 0;
	begin(&v, &x);
	x.dentry = (u64)BPF_CORE_READ(file, f_path.dentry);
	x.mnt = (u64)BPF_CORE_READ(file, f_path.mnt);
	x.owner = BPF_CORE_READ(file, f_inode, i_uid.val);
	judge_slowly(&x, false);
	return conclude(&v, &x);
}

SEC("lsm/file_ioctl")
int BPF_PROG(file_ioctl, struct file *file, unsigned int command)
{
	return control(file, command);
}

/* 6.8 and later (commit f1bb47a31dff, "lsm: new security_file_ioctl_compat() hook"); before, it comes to file_ioctl. */
SEC("lsm/file_ioctl_compat")
int BPF_PROG(file_ioctl_compat, struct file *file, unsigned int command)
{
	return control(file, command);
}
