/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Mounts. Names do not depend on them (lib/walk.h), so nothing is to be decided but for a file system that shows the files
 * of another under new names: a new overlay's files are its own, and what they stand for would be read behind the rules.
 */
#include "../lib/verdict.h"

#define OVERLAYFS_SUPER_MAGIC 0x794c7630

/* `dev` 0: one that is about to be made. Others are part of what the workload began with, and have names. */
static __noinline int refuse_overlay(u32 dev)
{
	struct hb_access x = { .section = HB_FILE, .call = HB_CALL_MOUNT, .word = WORD(HB_REFUSE, HB_RULE_MOVE) };
	struct hb_view v;

	if (!current_view(&v, HB_T_BLOCKS))
		return 0;
	begin(&v, &x);
	struct hb_mount_key key = { .table = TABLE_OF(v.active), .dev = dev };
	if (bpf_map_lookup_elem(&mounts, &key))
		return 0;
	x.owner = ~0u;
	return conclude(&v, &x);
}

SEC("lsm/sb_mount")
int BPF_PROG(sb_mount, const char *dev_name, const struct path *path, const char *type)
{
	char name[8] = {};

	if (!type || bpf_probe_read_kernel_str(name, sizeof(name), type) != sizeof("overlay"))
		return 0;
	return __builtin_memcmp(name, "overlay", sizeof("overlay")) ? 0 : refuse_overlay(0);
}

SEC("lsm/move_mount")
int BPF_PROG(move_mount, const struct path *from_path)
{
	struct super_block *sb = from_path->dentry->d_sb;

	return sb->s_magic == OVERLAYFS_SUPER_MAGIC ? refuse_overlay(sb->s_dev) : 0;
}
