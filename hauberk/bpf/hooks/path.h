/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Changes to names and attributes, by the path hooks. All of them are writes. */
#include "../lib/verdict.h"

/* The owner that counts at a name: of what is there, else of the directory in which it will be made. */
static __always_inline u32 owner_at(struct dentry *d, struct dentry *parent)
{
	struct inode *inode = BPF_CORE_READ(d, d_inode);

	return inode ? BPF_CORE_READ(inode, i_uid.val) : BPF_CORE_READ(parent, d_inode, i_uid.val);
}

/*
 * A write to the object `d` itself (`parent` NULL), or the making of `d` in the directory `parent`. `detail`: the first two of
 * the record. `often`: worth the fast
 * walk, and what the verifier takes for it.
 */
static __always_inline int write_to(struct vfsmount *mnt, struct dentry *d, struct dentry *parent, u32 call, u64 detail,
				    bool often)
{
	u32 word = NOT_QUICK;
	struct hb_view v;

	if (!current_view(&v, HB_T_FILE | HB_T_SEE))
		return 0;
	if (often) {
		word = judge_quickly(&v, 1u << HB_WRITE, d, parent ? NULL : d->d_inode,
				     parent ? parent->d_inode : d->d_inode);
		if (is_quiet(&v, word))
			return 0;
	}
	struct hb_access x = {
		.dentry = (u64)d,
		.mnt = (u64)mnt,
		.operations = 1u << HB_WRITE,
		.section = HB_FILE,
		.call = call,
		.owner = owner_at(d, parent),
		.detail = { detail, detail >> 32 },
		.word = word,
	};
	return conclude_in_full(&v, &x);
}

SEC("lsm/path_unlink")
int BPF_PROG(path_unlink, const struct path *dir, struct dentry *dentry)
{
	return write_to(dir->mnt, dentry, NULL, HB_CALL_UNLINK, 0, true);
}

SEC("lsm/path_rmdir")
int BPF_PROG(path_rmdir, const struct path *dir, struct dentry *dentry)
{
	return write_to(BPF_CORE_READ(dir, mnt), dentry, NULL, HB_CALL_RMDIR, 0, false);
}

SEC("lsm/path_mkdir")
int BPF_PROG(path_mkdir, const struct path *dir, struct dentry *dentry, u16 mode)
{
	return write_to(BPF_CORE_READ(dir, mnt), dentry, BPF_CORE_READ(dir, dentry), HB_CALL_MKDIR, mode, false);
}

SEC("lsm/path_mknod")
int BPF_PROG(path_mknod, const struct path *dir, struct dentry *dentry, u16 mode)
{
	return write_to(dir->mnt, dentry, dir->dentry, HB_CALL_MKNOD, mode, true);
}

SEC("lsm/path_symlink")
int BPF_PROG(path_symlink, const struct path *dir, struct dentry *dentry)
{
	return write_to(BPF_CORE_READ(dir, mnt), dentry, BPF_CORE_READ(dir, dentry), HB_CALL_SYMLINK, 0, false);
}

SEC("lsm/path_chmod")
int BPF_PROG(path_chmod, const struct path *path, u16 mode)
{
	return write_to(BPF_CORE_READ(path, mnt), BPF_CORE_READ(path, dentry), NULL, HB_CALL_CHMOD, mode, false);
}

SEC("lsm/path_chown")
int BPF_PROG(path_chown, const struct path *path, u32 user, u32 group)
{
	return write_to(BPF_CORE_READ(path, mnt), BPF_CORE_READ(path, dentry), NULL, HB_CALL_CHOWN,
			(u64)group << 32 | user, false);
}

SEC("lsm/path_truncate")
int BPF_PROG(path_truncate, const struct path *path)
{
	return write_to(BPF_CORE_READ(path, mnt), BPF_CORE_READ(path, dentry), NULL, HB_CALL_TRUNCATE, 0, false);
}

/* Since 6.2 (commit 3350607dc563, "security: Create file_truncate hook from path_truncate hook") ftruncate comes here. */
SEC("lsm/file_truncate")
int BPF_PROG(file_truncate, struct file *file)
{
	return write_to(BPF_CORE_READ(file, f_path.mnt), BPF_CORE_READ(file, f_path.dentry), NULL, HB_CALL_TRUNCATE, 0,
			false);
}

/*
 * Would a rename or link from `from` to `to` take a path that a Block refuses out of its reach? If the automaton stands in
 * the same state at both, every rule says the same of both and of all below. Uses `x` to ask: there is no stack for two.
 */
static __always_inline bool leaves_block(struct hb_view *v, struct hb_access *x, u64 from, u64 to, u32 guards)
{
	u32 state;

	x->operations = 0;
	x->dentry = from;
	state = judge_slowly(x, true);
	if (!state || !(accept_of(v->a, state) & guards))
		return false;
	x->dentry = to;
	return judge_slowly(x, true) != state;
}

static __always_inline bool is_directory(struct dentry *d)
{
	return (BPF_CORE_READ(d, d_inode, i_mode) & S_IFMT) == S_IFDIR;
}

/* A directory that comes where a Block names something below would bring it along. */
static __always_inline bool upsets_block(struct hb_view *v, struct hb_access *x, struct dentry *old, struct dentry *new,
					 bool exchange)
{
	u32 below = is_directory(old) || (exchange && is_directory(new)) ? ACCEPT_BELOW : 0;

	return leaves_block(v, x, (u64)old, (u64)new, ACCEPT_BLOCKED | below) ||
	       leaves_block(v, x, (u64)new, (u64)old, (exchange ? ACCEPT_BLOCKED : 0) | below);
}
static __always_inline int give_name(struct vfsmount *mnt, struct dentry *old, struct dentry *new,
				     struct dentry *new_parent, u32 call, u32 flags)
{
	struct hb_access x = { .operations = 1u << HB_WRITE, .section = HB_FILE, .call = call };
	bool exchange = flags & RENAME_EXCHANGE;
	struct hb_view v;
	u32 word;

	if (!current_view(&v, HB_T_FILE | HB_T_SEE | HB_T_BLOCKS))
		return 0;
	begin(&v, &x);
	x.mnt = (u64)mnt;
	x.dentry = (u64)old;
	x.owner = owner_at(old, old);
	x.detail[0] = flags;
	judge_slowly(&x, false);
	word = x.word;
	if (VERDICT(word) != HB_REFUSE && (v.active & HB_T_BLOCKS) && upsets_block(&v, &x, old, new, exchange))
		word = WORD(HB_REFUSE, HB_RULE_MOVE);
	x.word = word;
	x.dentry = (u64)old;
	x.other = (u64)new;
	if (conclude(&v, &x))
		return -EACCES;
	x.operations = 1u << HB_WRITE;
	x.dentry = (u64)new;
	x.other = (u64)old;
	x.owner = owner_at(new, new_parent);
	judge_slowly(&x, false);
	return conclude(&v, &x);
}

SEC("lsm/path_link")
int BPF_PROG(path_link, struct dentry *old_dentry, const struct path *new_dir, struct dentry *new_dentry)
{
	return give_name(BPF_CORE_READ(new_dir, mnt), old_dentry, new_dentry, BPF_CORE_READ(new_dir, dentry),
			 HB_CALL_LINK, 0);
}

SEC("lsm/path_rename")
int BPF_PROG(path_rename, const struct path *old_dir, struct dentry *old_dentry, const struct path *new_dir,
	     struct dentry *new_dentry, unsigned int flags)
{
	return give_name(BPF_CORE_READ(new_dir, mnt), old_dentry, new_dentry, BPF_CORE_READ(new_dir, dentry),
			 HB_CALL_RENAME, flags);
}
