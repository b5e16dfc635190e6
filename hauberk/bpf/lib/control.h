/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The files by which a cgroup is controlled (version 2). Those of the cgroups that the engine's keepers are in, and of all
 * above these, end or stop the keepers without any hook being asked.
 */
#ifndef HAUBERK_CONTROL_H
#define HAUBERK_CONTROL_H

#include "verdict.h"

struct hb_controlled {
	u64 cgroup;
	u32 level;
	u32 holds; /* a keeper is in it, or below */
};

static long look_at_keeper(struct bpf_map *map, const u64 *leader, u8 *yes, struct hb_controlled *c)
{
	struct task_struct *task = (void *)*leader;
	struct cgroup *own = BPF_CORE_READ(task, cgroups, dfl_cgrp);
	u64 above = 0;

	if (BPF_CORE_READ(own, level) < (int)c->level)
		return 0;
	bpf_probe_read_kernel(&above, sizeof(above),
			      (u8 *)own + bpf_core_field_offset(struct cgroup, ancestors) + c->level * sizeof(above));
	if (above != c->cgroup)
		return 0;
	c->holds = 1;
	return 1;
}

/* Is the object such a file? By its node and not its name, as it can be opened by a handle. Not static: verified once. */
__noinline int controls_keeper(struct hb_access *x)
{
	struct hb_controlled c = { .holds = unknown_zero };
	struct kernfs_node *kn, *above;
	struct cgroup *cgroup;
	struct inode *inode;
	struct dentry *d;

	if (!x)
		return 0;
	d = (void *)x->dentry;
	inode = BPF_CORE_READ(d, d_inode);
	if (BPF_CORE_READ(inode, i_sb, s_magic) != CGROUP2_SUPER_MAGIC)
		return 0;
	kn = BPF_CORE_READ(inode, i_private);
	if (bpf_core_field_exists(kn->parent))
		above = BPF_CORE_READ(kn, parent);
	else
		above = BPF_CORE_READ((struct kernfs_node___new *)kn, __parent);
	cgroup = BPF_CORE_READ(above, priv);
	c.cgroup = (u64)cgroup;
	c.level = BPF_CORE_READ(cgroup, level) & 0xff;
	bpf_for_each_map_elem(&keepers, look_at_keeper, &c, 0);
	return c.holds & 1;
}

#endif
