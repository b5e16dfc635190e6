/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Mounts. Names do not depend on them (lib/walk.h), so nothing is to be decided but for a file system that shows the files
 * of another under new names: a new overlay's files are its own, and what they stand for would be read behind the rules.
 */
#include "../lib/verdict.h"

struct hb_layers {
	u64 layers;
	u64 active;
	u32 step;
	u32 refused;
};

/* Does a Block speak of something in this layer? */
static long look_at_layer(u32 i, struct hb_layers *l)
{
	struct hb_arena a = get_arena();
	struct hb_access x = { .active = l->active };
	struct ovl_layer *layer = (void *)(l->layers + (u64)i * l->step);
	struct vfsmount *mnt = BPF_CORE_READ(layer, mnt);
	u32 state;

	if (!mnt || !a.base) /* there is no upper layer */
		return 0;
	x.dentry = (u64)BPF_CORE_READ(mnt, mnt_root);
	state = judge_slowly(&x, true);
	if (state && !(accept_of(a, state) & (ACCEPT_BLOCKED | ACCEPT_BELOW)))
		return 0;
	l->refused = 1;
	return 1;
}

/* Without the module's types nothing is known of the layers, and the overlay is refused. */
static __noinline int hides_blocked(struct super_block *sb, u64 active)
{
	struct hb_layers l = { .active = active };
	struct ovl_fs *fs;
	u32 count;

	if (!bpf_core_type_exists(struct ovl_fs))
		return 1;
	fs = BPF_CORE_READ(sb, s_fs_info);
	l.layers = (u64)BPF_CORE_READ(fs, layers);
	l.step = bpf_core_type_size(struct ovl_layer);
	count = BPF_CORE_READ(fs, numlayer);
	bpf_loop(count, look_at_layer, &l, 0);
	return l.refused;
}

/* On the host, who mounts by the host's own rights may end the enforcement too; engines of containers mount overlays so. */
static __always_inline bool is_bound(const struct hb_label *label, struct super_block *sb)
{
	return !(label->flags & HB_L_HOST) || BPF_CORE_READ(sb, s_user_ns, level);
}

/*
 * The hook that every new superblock passes once it is filled, by mount(2) and by fsconfig(2) (vfs_get_tree in
 * fs/super.c). The root of a version 1 cgroup hierarchy names a program that the kernel runs outside of any workload.
 */
SEC("lsm/sb_set_mnt_opts")
int BPF_PROG(sb_set_mnt_opts, struct super_block *sb)
{
	struct hb_access x = { .section = HB_FILE, .call = HB_CALL_MOUNT, .owner = ~0u };
	u64 magic = sb->s_magic;
	struct hb_view v;

	if (magic != OVERLAYFS_SUPER_MAGIC && magic != CGROUP_SUPER_MAGIC)
		return 0;
	v.label = current_label();
	if (!v.label || !is_bound(v.label, sb))
		return 0;
	v.active = *(volatile u64 *)&workload_of(v.label)->table;
	begin(&v, &x);
	if (magic == CGROUP_SUPER_MAGIC)
		x.word = WORD(HB_REFUSE, HB_RULE_GUARD);
	else if ((v.active & HB_T_BLOCKS) && hides_blocked(sb, v.active))
		x.word = WORD(HB_REFUSE, HB_RULE_MOVE);
	else
		return 0;
	report(&x);
	return -EACCES;
}
