/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Labels by place, for an engine that serves a whole node. Whose a task is, its cgroup says when it executes something:
 *
 *   no label              -> the container's in whose cgroup it is, else the unit's, else the host's if that is held
 *   the host's            -> a container's or a unit's
 *   a unit's, or exempt   -> a container's
 *   a container's         -> stays, wherever the task goes
 *
 * A container's cgroup counts only in another mount namespace than the host's: what prepares a container from outside, its
 * runtime, is not yet the container.
 */
#ifndef HAUBERK_PLACE_H
#define HAUBERK_PLACE_H

#include "label.h"

/* By id of a cgroup in the default hierarchy, for all that is below it too. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, HB_WORKLOADS);
	__type(key, u64);
	__type(value, struct hb_place);
} places SEC(".maps");

/* By name of a cgroup's directory, padded with NULs; the same. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 2048);
	__type(key, char[HB_UNIT_NAME]);
	__type(value, struct hb_place);
} units SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct hb_hosting);
} hosting SEC(".maps");

static __always_inline u32 hosting_flags(void)
{
	u32 zero = 0;
	struct hb_hosting *h = bpf_map_lookup_elem(&hosting, &zero);

	return h ? *(volatile u32 *)&h->flags : 0;
}

/* Do places give labels at all? For most engines, those of a single command, that is all there is to ask. */
static __always_inline bool is_hosting(void)
{
	return hosting_flags() & HB_H_PLACES;
}

/*
 * Cgroups that are looked at, from the task's own up to the root. Whoever may make cgroups can make them deeper, so as to be
 * beyond any place's reach: then nothing is executed there.
 */
#define HB_CGROUPS 128u

#define HB_FOUND_PLACE 0x1u
#define HB_FOUND_UNIT 0x2u

struct hb_climb {
	u64 cgroup; /* 0 above the root */
	struct hb_place place;
	struct hb_place unit;
	u32 found;
	char name[HB_UNIT_NAME];
};

/*
 * The unit that a cgroup's directory is named for. Users make directories in what was delegated to them, under any name: so
 * the one above has to be root's.
 */
static __always_inline struct hb_place *unit_of(struct hb_climb *c, struct kernfs_node *kn, struct cgroup *above)
{
	struct kernfs_iattrs *attributes = BPF_CORE_READ(above, kn, iattr);
	const char *name = BPF_CORE_READ(kn, name);
	char last = 0;

	if (attributes && BPF_CORE_READ(attributes, ia_uid.val))
		return NULL;
	__builtin_memset(c->name, 0, sizeof(c->name));
	if (bpf_probe_read_kernel_str(c->name, sizeof(c->name), name) == sizeof(c->name))
		bpf_probe_read_kernel(&last, sizeof(last), name + sizeof(c->name) - 1);
	return last ? NULL : bpf_map_lookup_elem(&units, c->name);
}

static long look_at_cgroup(u32 i, struct hb_climb *c)
{
	struct cgroup *cgroup = (void *)c->cgroup, *above = NULL;
	struct cgroup_subsys_state *parent = BPF_CORE_READ(cgroup, self.parent);
	struct kernfs_node *kn = BPF_CORE_READ(cgroup, kn);
	u64 id = BPF_CORE_READ(kn, id);
	struct hb_place *place;

	if (!(c->found & HB_FOUND_PLACE)) {
		place = bpf_map_lookup_elem(&places, &id);
		if (place) {
			c->place = *place;
			c->found |= HB_FOUND_PLACE;
		}
	}
	if (parent)
		above = (void *)((u64)parent - bpf_core_field_offset(struct cgroup, self));
	if (above && !(c->found & HB_FOUND_UNIT)) {
		place = unit_of(c, kn, above);
		if (place) {
			c->unit = *place;
			c->found |= HB_FOUND_UNIT;
		}
	}
	c->cgroup = (u64)above;
	return !above;
}

static __always_inline bool in_host_mounts(struct task_struct *task)
{
	u32 zero = 0;
	struct hb_hosting *h = bpf_map_lookup_elem(&hosting, &zero);

	return h && BPF_CORE_READ(task, nsproxy, mnt_ns, ns.inum) == h->mount_namespace;
}

#define HB_TRIES 8u

/*
 * Make a label of the host's another workload's: 1, or 0 if that is not to be. In the same step, what is known of the task's
 * program is known no more. The task itself and an iterator may be at it at one time, and then one of them has done it.
 */
static __always_inline int move_label(struct hb_label *label, const struct hb_place *place)
{
	u64 held = 0;
	u32 i;

	for (i = 0; i < HB_TRIES; i++) {
		held = *(volatile u64 *)label;
		if ((u32)held == place->workload || !(*(volatile u32 *)&label->flags & HB_L_HOST) ||
		    ((place->flags & HB_L_HOST) && (u32)held != HB_HOST))
			return 0;
		if (__sync_val_compare_and_swap((u64 *)label, held, (u64)place->workload) == held)
			break;
	}
	if (i == HB_TRIES)
		return -EAGAIN;
	__sync_fetch_and_or(&label->flags, HB_L_UNCHECKED);
	if (!(place->flags & HB_L_HOST))
		__sync_fetch_and_and(&label->flags, ~HB_L_HOST);
	__sync_fetch_and_add(&heads[place->workload & (HB_WORKLOADS - 1)].tasks, 1);
	leave_workload((u32)held);
	return 1;
}

/*
 * Give a task the label that its place says. 1 if it is new or another than before, 0 if there is nothing to change, negative
 * if there is no room for it, or if its place cannot be told.
 */
static __noinline int settle(u64 address)
{
	struct task_struct *task = (void *)address;
	struct hb_label *label = label_of(address), fresh = { .flags = HB_L_UNCHECKED };
	struct hb_climb c = { .found = unknown_zero };
	struct hb_place place = { .workload = HB_HOST, .flags = HB_L_HOST };
	u32 flags = hosting_flags();

	if (!(flags & HB_H_PLACES) || (label && !(label->flags & HB_L_HOST)))
		return 0;
	/* rules for the host never speak of these; what they start has no label until it executes something itself */
	if (!label && (BPF_CORE_READ(task, tgid) == 1 || is_keeper(task)))
		return 0;
	c.cgroup = (u64)BPF_CORE_READ(task, cgroups, dfl_cgrp);
	if (c.cgroup)
		bpf_loop(HB_CGROUPS, look_at_cgroup, &c, 0);
	if (c.cgroup)
		return -EAGAIN;
	if ((c.found & HB_FOUND_PLACE) && !in_host_mounts(task))
		place = c.place;
	else if (c.found & HB_FOUND_UNIT)
		place = c.unit;
	else if (!(flags & HB_H_HOST))
		return 0;
	fresh.workload = place.workload;
	fresh.flags |= place.flags;
	if (!label && give_label(address, &fresh))
		return 1;
	label = label_of(address);
	if (!label)
		return -EAGAIN;
	return move_label(label, &place);
}

#endif
