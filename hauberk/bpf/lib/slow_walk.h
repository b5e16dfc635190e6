/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The walk for every object that the fast one leaves: other superblocks, long names, deep paths, several names.
 *
 * It climbs by reading kernel memory (after a mount crossing nothing is typed on 6.1), notes each dentry in a scratch,
 * and then steps the automaton down from each root that it found. The note is a ring: of a path with more than HB_DEPTH
 * components the ones next to the root are kept, which still decides every rule that ends there.
 *
 * Functions that are not static are looked at by the verifier once, not at each call.
 */
#ifndef HAUBERK_SLOW_WALK_H
#define HAUBERK_SLOW_WALK_H

#include "scratch.h"
#include "walk.h"

#define MAX_CLIMB 16384
#define ATTEMPTS 6

enum hb_walk_end {
	WALK_RUNNING = 0,
	WALK_NAMED,
	WALK_UNKNOWN, /* detached or anonymous mount, too deep, or the tree would not hold still */
	WALK_NAMELESS, /* pipes, sockets, anonymous inodes, memfd; what the kernel opens for itself */
};

/* Not inlined for the reason that count() has. note_mount() looks itself: calls are as deep there as they may be. */
static __noinline struct hb_mount *mount_at(struct hb_mount_key *key)
{
	return bpf_map_lookup_elem(&mounts, key);
}

/* Look at the superblock in which `at` lies. */
static __always_inline void enter_superblock(struct hb_walk *w)
{
	struct dentry *d = (void *)w->at;
	struct super_block *sb = BPF_CORE_READ(d, d_sb);
	struct hb_mount_key key = { .table = w->top.depth, .dev = BPF_CORE_READ(sb, s_dev) };
	struct hb_mount *m = mount_at(&key);

	w->sb = (u64)sb;
	w->dev = key.dev;
	w->sb_root = (u64)BPF_CORE_READ(sb, s_root);
	w->entered = w->at;
	w->entered_depth = w->depth;
	w->by_mount = !m;
	w->known = 0;
	w->magic = BPF_CORE_READ(sb, s_magic);
	if (m) {
		w->known = m->flags;
		w->whole = *m;
		return;
	}
	w->fresh = 1;
	if (BPF_CORE_READ(sb, s_flags) & SB_NOUSER)
		w->end = WALK_NAMELESS;
}

static __always_inline void note_root(struct hb_walk *w, u32 file_state, u32 exec_state, u32 prefix)
{
	struct hb_root *r;
	u32 n = w->roots;

	if (n >= HB_ROOTS) { /* more names than can be weighed */
		w->end = WALK_UNKNOWN;
		return;
	}
	r = &w->root[n & HB_ROOTS];
	r->depth = w->depth;
	r->file_state = file_state;
	r->exec_state = exec_state;
	r->prefix = prefix;
	w->roots = n + 1;
}

/* A directory that was mounted when the workload began (w->found), maybe in several places. */
__noinline int note_mount(u32 slot)
{
	struct hb_scratch *s = scratch_at(slot);
	struct hb_mount *m;

	if (!s)
		return 0;
	m = &s->walk.found;
	for (u32 n = 0; n <= HB_ROOTS; n++) {
		struct hb_mount_key key = { s->walk.top.depth, ~0u, m->next };

		note_root(&s->walk, m->file_state, m->exec_state, m->prefix);
		if (!key.ino)
			break;
		m = bpf_map_lookup_elem(&mounts, &key);
		if (!m)
			break;
	}
	return 0;
}

/* A mount that the kernel made for itself has an error for a namespace. */
#define KERNELS_OWN(ns) ((u64)(ns) >= (u64) - 4095)

/* At the top of a mount: go on in the one that it is mounted on. */
static __always_inline void cross_mount(struct hb_walk *w)
{
	struct mount *m = (void *)(w->at_mnt - bpf_core_field_offset(struct mount, mnt));
	struct mount *parent = BPF_CORE_READ(m, mnt_parent);
	struct mnt_namespace *ns;

	if (parent != m) {
		w->at = (u64)BPF_CORE_READ(m, mnt_mountpoint);
		w->at_mnt = (u64)parent + bpf_core_field_offset(struct mount, mnt);
		enter_superblock(w);
		return;
	}
	ns = BPF_CORE_READ(m, mnt_ns);
	if (KERNELS_OWN(ns)) { /* overlayfs opens directories of its layers so */
		w->end = WALK_NAMELESS;
		return;
	}
	/* detached or anonymous: no name that a rule could speak of */
	if (!ns || !bpf_core_field_exists(ns->seq) || BPF_CORE_READ(ns, seq) == 0) {
		w->end = WALK_UNKNOWN;
		return;
	}
	note_root(w, w->top.file_state, w->top.exec_state, 0);
	if (!w->end)
		w->end = WALK_NAMED;
}

static long climb(u32 i, u32 *slot)
{
	struct hb_scratch *s = scratch_at(*slot);
	struct dentry *d, *parent;
	struct vfsmount *mnt;
	struct hb_mount *m;
	struct hb_walk *w;

	if (!s)
		return 1;
	w = &s->walk;
	if (w->end)
		return 1;
	d = (void *)w->at;
	if (!w->by_mount && (w->known & HB_M_SUBTREES)) {
		struct hb_mount_key key = { w->top.depth, w->dev, BPF_CORE_READ(d, d_inode, i_ino) };

		m = key.ino ? mount_at(&key) : NULL;
		if (m) {
			w->found = *m;
			note_mount(*slot);
		}
	}
	if (!w->by_mount && w->at == w->sb_root) {
		if (w->known & HB_M_ROOT) {
			w->found = w->whole;
			note_mount(*slot);
		}
		if (w->roots) {
			if (!w->end)
				w->end = WALK_NAMED;
			return 1;
		}
		/* a part of it that was not mounted then: name it by its mount instead */
		w->fresh = 1;
		w->by_mount = 1;
		w->at = w->entered;
		w->depth = w->entered_depth;
		return 0;
	}
	if (w->by_mount) {
		if (!w->at_mnt) {
			w->end = WALK_UNKNOWN;
			return 1;
		}
		mnt = (void *)w->at_mnt;
		if (d == BPF_CORE_READ(mnt, mnt_root)) {
			cross_mount(w);
			return 0;
		}
	}
	parent = BPF_CORE_READ(d, d_parent);
	if (parent == d) {
		/* a root, but not this superblock's: of a namespace (/proc/self/ns), else left so by open_by_handle_at */
		struct mount *of = (void *)(w->at_mnt - bpf_core_field_offset(struct mount, mnt));

		w->end = w->roots ? WALK_NAMED : KERNELS_OWN(BPF_CORE_READ(of, mnt_ns)) ? WALK_NAMELESS : WALK_UNKNOWN;
		return 1;
	}
	s->dentries[w->depth & (HB_DEPTH - 1)] = w->at;
	w->depth++;
	w->at = (u64)parent;
	return 0;
}

/* From w->dentry and w->mnt to w->root[]. */
__noinline int find_roots(u32 slot)
{
	struct hb_scratch *s = scratch_at(slot);
	struct hb_walk *w;

	if (!s)
		return 0;
	w = &s->walk;
	w->at = w->dentry;
	w->at_mnt = w->mnt;
	w->end = WALK_RUNNING;
	w->depth = 0;
	w->roots = 0;
	w->fresh = 0;
	w->home = 0;
	w->at_home = 0;
	enter_superblock(w);
	if (w->end == WALK_NAMELESS) { /* its own name, without a slash: "memfd:x" */
		note_root(w, w->top.file_state, w->top.exec_state, 0);
		w->root[0].depth = w->depth = 1;
		s->dentries[0] = w->dentry;
	} else {
		bpf_loop(MAX_CLIMB, climb, &slot, 0);
		if (w->end == WALK_RUNNING)
			w->end = WALK_UNKNOWN;
	}
	return 0;
}

static long climb_home(u32 i, u32 *slot)
{
	struct hb_scratch *s = scratch_at(*slot);
	struct dentry *d;
	u64 parent;

	if (!s)
		return 1;
	if (s->walk.at == s->walk.sb_root) {
		s->walk.at_home = 1;
		return 1;
	}
	d = (void *)s->walk.at;
	parent = (u64)BPF_CORE_READ(d, d_parent);
	if (parent == s->walk.at)
		return 1;
	s->home[i & (HB_DEPTH - 1)] = s->walk.at;
	s->walk.home_depth = i + 1;
	s->walk.at = parent;
	return 0;
}

/*
 * From w->dentry to the root of its superblock, if it is known where that is at home: one more root. So a mount elsewhere, in
 * another namespace or in none, does not take a file of the host out of a Block's reach.
 */
__noinline int find_home(u32 slot)
{
	struct hb_scratch *s = scratch_at(slot);
	struct hb_mount_key key = { .dev = HB_HOME_DEV };
	struct super_block *sb;
	struct hb_mount *m;
	struct hb_root *r;
	struct dentry *d;

	if (!s)
		return 0;
	d = (void *)s->walk.dentry;
	sb = BPF_CORE_READ(d, d_sb);
	key.table = s->walk.top.depth;
	key.ino = BPF_CORE_READ(sb, s_dev);
	m = mount_at(&key);
	if (!m) {
		key.ino = HB_HOME_MAGIC | BPF_CORE_READ(sb, s_magic);
		m = mount_at(&key);
	}
	if (!m)
		return 0;
	s->walk.at = s->walk.dentry;
	s->walk.sb_root = (u64)BPF_CORE_READ(sb, s_root);
	s->walk.home_depth = 0;
	call_back(HB_DEPTH, climb_home, &slot);
	r = &s->walk.root[s->walk.roots & HB_ROOTS];
	r->depth = s->walk.home_depth;
	r->file_state = m->file_state;
	r->exec_state = m->exec_state;
	r->prefix = m->prefix;
	if (!s->walk.at_home) /* too deep, or a directory that was removed from its tree */
		s->walk.end = WALK_UNKNOWN;
	return 0;
}

/* The number that a name is, or -1. */
static __always_inline long number_of(const u8 *name)
{
	long number = 0;

	for (int j = 0; j < 11; j++) {
		u8 c = name[j];

		if (!c)
			return j ? number : -1;
		if (c < '0' || c > '9')
			return -1;
		number = number * 10 + (c - '0');
	}
	return -1;
}

/* The name of the dentry `i` steps below the root, into the scratch; its length, or -1. */
__noinline int fetch_name(u32 i, u32 slot)
{
	struct hb_scratch *s = scratch_at(slot);
	struct dentry *d;
	u32 index;
	long n;

	if (!s)
		return -1;
	index = s->walk.from - 1 - i;
	if (s->walk.home) {
		d = (void *)s->home[index & (HB_DEPTH - 1)];
	} else {
		if (index + HB_DEPTH < s->walk.depth)
			return -1;
		d = (void *)s->dentries[index & (HB_DEPTH - 1)];
	}
	n = bpf_probe_read_kernel_str(s->name, HB_NAME, BPF_CORE_READ(d, d_name.name));
	/* pipes and sockets have an empty name */
	if (n < 1 || n > HB_NAME || (n == 1 && s->walk.end != WALK_NAMELESS))
		return -1;
	return n - 1;
}

/* Is the object that was named the task's own terminal, or does it lie in its own directory of procfs? */
__noinline int is_own(u32 slot)
{
	struct hb_scratch *s = scratch_at(slot);
	struct task_struct *task;
	struct proc_fs_info *info;
	struct super_block *sb;
	struct tty_struct *tty;
	struct pid *pid;
	u32 own = 0, level;
	long number;

	if (!s || (s->walk.magic != PROC_SUPER_MAGIC && s->walk.magic != DEVPTS_SUPER_MAGIC))
		return 0;
	/* the root noted last is the superblock's own, if any is */
	s->walk.home = !s->walk.roots;
	s->walk.from = s->walk.root[(s->walk.roots - !s->walk.home) & HB_ROOTS].depth;
	if (!s->walk.from || fetch_name(0, slot) < 0)
		return 0;
	number = number_of(s->name); /* the first name below the superblock's root */
	task = (void *)(s->walk.task ?: bpf_get_current_task());
	if (s->walk.magic == DEVPTS_SUPER_MAGIC) {
		tty = BPF_CORE_READ(task, signal, tty);
		return tty && number == BPF_CORE_READ(tty, index);
	}
	sb = (void *)s->walk.sb;
	info = BPF_CORE_READ(sb, s_fs_info);
	level = BPF_CORE_READ(info, pid_ns, level);
	pid = BPF_CORE_READ(task, group_leader, thread_pid);
	if (level > BPF_CORE_READ(pid, level))
		return 0;
	bpf_probe_read_kernel(&own, sizeof(own),
			      (u8 *)pid + bpf_core_field_offset(struct pid, numbers) +
				      level * bpf_core_type_size(struct upid) + bpf_core_field_offset(struct upid, nr));
	return number == own;
}

#define CHUNK 8u

static long step_chunk(u32 i, u32 *slot)
{
	struct hb_scratch *s = scratch_at(*slot);
	struct hb_arena a = get_arena();
	u32 state;

	if (!s || !a.base || i >= HB_NAME / CHUNK)
		return 1;
	state = s->walk.state;
	for (u32 j = 0; j < CHUNK; j++) {
		u8 c = s->name[i * CHUNK + j];

		if (!c || (state & ABSORBING)) {
			s->walk.state = state;
			return 1;
		}
		state = step(a, state, c);
	}
	s->walk.state = state;
	return 0;
}

/* By the name of the dentry `i` steps below the root; 1 if the walk ends here. */
__noinline int step_component(u32 i, u32 slot)
{
	struct hb_scratch *s = scratch_at(slot);
	struct hb_arena a = get_arena();

	if (!s || !a.base || (s->walk.state & ABSORBING))
		return 1;
	if (fetch_name(i, slot) < 0) {
		s->walk.cut = 1;
		return 1;
	}
	if (s->walk.end != WALK_NAMELESS)
		s->walk.state = step(a, s->walk.state, '/');
	bpf_loop(HB_NAME / CHUNK, step_chunk, &slot, 0);
	return 0;
}

static long step_down(u32 i, u32 *slot)
{
	int ends = step_component(i, *slot);

	/* a callback returns 0 or 1; clang knows, and would drop the mask by which the verifier does */
	asm volatile("" : "+r"(ends));
	return ends & 1;
}

struct hb_attempt {
	u32 slot; /* first, so that callbacks of the slot alone can be handed this */
	u32 exec;
};

/* The automaton's state at the object under its root number `n`. */
static __always_inline void descend(struct hb_scratch *s, u32 n, struct hb_attempt *t)
{
	struct hb_root *r = &s->walk.root[n & HB_ROOTS];

	s->walk.state = t->exec ? r->exec_state : r->file_state;
	s->walk.from = r->depth;
	s->walk.cut = 0;
	s->walk.home = n >= s->walk.roots;
	bpf_loop(r->depth, step_down, &t->slot, 0);
	s->walk.state_at[n & HB_ROOTS] = s->walk.state;
	if (s->walk.cut)
		s->walk.end = WALK_UNKNOWN;
}

static long attempt(u32 i, struct hb_attempt *t)
{
	u32 renames = read_sequence(rename_lock), mounts_moved = read_sequence(mount_lock);
	struct hb_scratch *s = scratch_at(t->slot);

	if (!s)
		return 1;
	if ((renames | mounts_moved) & 1)
		return 0;
	find_roots(t->slot);
	if (s->walk.fresh && s->walk.wants_home && s->walk.end != WALK_NAMELESS)
		find_home(t->slot);
	/* not a bpf_loop(): calls would become more than the 8 deep that the kernel allows */
	for (u32 n = 0; n <= HB_ROOTS && n < s->walk.roots + s->walk.at_home; n++)
		descend(s, n, t);
	if (read_sequence(rename_lock) != renames || read_sequence(mount_lock) != mounts_moved)
		return 0;
	s->walk.settled = 1;
	return 1;
}

/* Name the object of the scratch's walk: fills root[], state_at[], end. */
static __always_inline void name_object(struct hb_scratch *s, u32 slot, u32 exec)
{
	struct hb_attempt t = { slot, exec };

	s->walk.settled = 0;
	call_back(ATTEMPTS, attempt, &t);
	if (s->walk.settled)
		return;
	s->walk.end = WALK_UNKNOWN;
	count(HB_RACED);
}

#endif
