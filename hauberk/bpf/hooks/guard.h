/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What a confined task may not do whatever its policies say, as it would end the enforcement: to the processes that look
 * after engines, to their maps and programs, to the bpffs that holds their pins, and to the kernel itself. Hauberk's files
 * are protected by rules of every table (hauberk/rules/guard.py). Tasks of the host (HB_L_HOST) are not bound.
 */
#include "../lib/harm.h"
#include "../lib/see.h"

static __noinline int see_other(struct task_struct *task, u32 call, u32 how)
{
	struct hb_access x = { .call = call, .detail = { how } };

	aim_at(&x, task);
	return see(&x, HB_CAPABILITIES);
}

/* Signals within a workload are its own affair. */
static __always_inline int see_signal(struct task_struct *task, u32 sig)
{
	struct hb_label *label = current_label(), *other;

	if (!label || !(workload_of(label)->table & HB_T_SEE))
		return 0;
	other = label_of((u64)task);
	return other && other->workload == label->workload ? 0 : see_other(task, HB_CALL_KILL, sig);
}

SEC("lsm/task_kill")
int BPF_PROG(task_kill, struct task_struct *task, void *info, int sig)
{
	if (!sig)
		return 0;
	if (!confining_label() || !is_keeper(task))
		return see_signal(task, sig);
	/* what it holds blocked does nothing to it: it reads such signals, and knows their sender */
	if (BPF_CORE_READ(task, group_leader, blocked.sig[0]) >> ((sig - 1) & 63) & 1)
		return 0;
	return refuse_harm(HB_PROCESS, HB_CALL_KILL, sig, task->tgid);
}

/* A signal that a descriptor sends (F_SETSIG): the task that makes it do so need not be the one that asked for it. */
SEC("lsm/file_send_sigiotask")
int BPF_PROG(file_send_sigiotask, struct task_struct *task, void *owner, int sig)
{
	if (!is_keeper(task))
		return 0;
	refuse_harm(HB_PROCESS, HB_CALL_KILL, sig, task->tgid);
	return -EACCES;
}

/*
 * Whoever traces a task outside of the workload, or writes to its memory, runs code there that has no label. Mere looking
 * is refused only at a keeper.
 */
SEC("lsm/ptrace_access_check")
int BPF_PROG(ptrace_access_check, struct task_struct *child, unsigned int mode)
{
	struct hb_label *label = confining_label(), *other;

	if (!label || !is_keeper(child)) {
		if (!(mode & PTRACE_MODE_ATTACH))
			return 0;
		other = label_of((u64)child);
		if (!label || (other && other->workload == label->workload))
			return see_other(child, HB_CALL_PTRACE, mode);
	}
	/* as ps asks: whoever asks so does without */
	if (mode & PTRACE_MODE_NOAUDIT)
		return -EACCES;
	return refuse_harm(HB_PROCESS, HB_CALL_PTRACE, mode, child->tgid);
}

/* What else could stop it: a limit on its processor time, a priority that it never gets to run with. */
SEC("lsm/task_setrlimit")
int BPF_PROG(task_setrlimit, struct task_struct *task)
{
	return is_keeper(task) ? refuse_harm(HB_PROCESS, HB_CALL_KILL, 0, task->tgid) : 0;
}

SEC("lsm/task_setscheduler")
int BPF_PROG(task_setscheduler, struct task_struct *task)
{
	return is_keeper(task) ? refuse_harm(HB_PROCESS, HB_CALL_KILL, 0, task->tgid) : 0;
}

SEC("lsm/task_setnice")
int BPF_PROG(task_setnice, struct task_struct *task)
{
	return is_keeper(task) ? refuse_harm(HB_PROCESS, HB_CALL_KILL, 0, task->tgid) : 0;
}

/* Links have no such hook, and need none: a link of an LSM program can neither be detached nor updated by its descriptor. */
SEC("lsm/bpf_map")
int BPF_PROG(bpf_map_fd, struct bpf_map *map)
{
	u64 key = HB_GUARDED_MAP | map->id;

	return bpf_map_lookup_elem(&guarded, &key) ? refuse_harm(HB_CAPABILITIES, HB_CALL_BPF, 0, map->id) : 0;
}

SEC("lsm/bpf_prog")
int BPF_PROG(bpf_prog_fd, struct bpf_prog *prog)
{
	u32 id = BPF_CORE_READ(prog, aux, id);
	u64 key = HB_GUARDED_PROGRAM | id;

	return bpf_map_lookup_elem(&guarded, &key) ? refuse_harm(HB_CAPABILITIES, HB_CALL_BPF, 1, id) : 0;
}

/* FS_OPEN_PERM, FS_ACCESS_PERM, FS_OPEN_EXEC_PERM; since 6.14 FS_PRE_ACCESS. To be told of events is another matter. */
#define HB_ASKING_EVENTS 0x170000u

/*
 * Whoever has the kernel ask it before a file is opened can let Hauberk wait for ever, as soon as that opens one of its own.
 */
SEC("lsm/path_notify")
int BPF_PROG(path_notify, const struct path *path, u64 mask)
{
	return mask & HB_ASKING_EVENTS ? refuse_harm(HB_FILE, HB_CALL_WATCH, mask, 0) : 0;
}

struct hb_unmounting {
	u64 top; /* struct mount that goes, with all below it */
	u64 link; /* the bpffs's next entry in super_block.s_mounts */
	u64 end;
	u32 goes; /* a mount of the bpffs goes with it */
	u32 spreads; /* to other namespaces too */
	u32 stays; /* another one does not */
};

#define HB_NESTED 64u /* mounts above one another that are looked through */
#define HB_BPFFS_MOUNTS 1024u

struct hb_ancestry {
	u64 at;
	u64 top;
	u32 below;
};

static long climb_mount(u32 i, struct hb_ancestry *c)
{
	struct mount *m = (void *)c->at;
	struct mount *parent = BPF_CORE_READ(m, mnt_parent);

	c->below = c->at == c->top;
	if (c->below || parent == m)
		return 1;
	c->at = (u64)parent;
	return 0;
}

static long look_at_mount(u32 i, struct hb_unmounting *u)
{
	struct mount *m = (void *)(u->link - bpf_core_field_offset(struct mount, mnt_instance));
	struct hb_ancestry c = { .at = (u64)m, .top = u->top };
	struct list_head *link = (void *)u->link;

	if (u->link == u->end)
		return 1;
	call_back(HB_NESTED, climb_mount, &c);
	if (c.below) {
		u->goes = 1;
		u->spreads |= BPF_CORE_READ(m, mnt_parent, mnt.mnt_flags) & MNT_SHARED;
	} else {
		u->stays = 1;
	}
	u->link = (u64)BPF_CORE_READ(link, next);
	return 0;
}

/* The superblock of the bpffs that holds the pins. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} pins SEC(".maps");

static __noinline int see_unmount(struct vfsmount *mnt, u32 flags)
{
	struct hb_access x = { .call = HB_CALL_UMOUNT, .detail = { flags } };
	struct mount *m = (void *)((u64)mnt - bpf_core_field_offset(struct mount, mnt));

	x.dentry = (u64)BPF_CORE_READ(m, mnt_mountpoint);
	x.mnt = (u64)BPF_CORE_READ(m, mnt_parent) + bpf_core_field_offset(struct mount, mnt);
	return see(&x, HB_CAPABILITIES);
}

/* Pins live as long as their superblock is mounted somewhere, so the last mount of it may not go. */
SEC("lsm/sb_umount")
int BPF_PROG(sb_umount, struct vfsmount *mnt, int flags)
{
	u32 zero = 0;
	u64 *sb = bpf_map_lookup_elem(&pins, &zero);
	struct super_block *held;
	struct hb_unmounting u = { .goes = unknown_zero, .spreads = unknown_zero, .stays = unknown_zero };

	if (!sb || !*sb || !confining_label())
		return see_unmount(mnt, flags);
	held = (void *)*sb;
	u.top = (u64)mnt - bpf_core_field_offset(struct mount, mnt);
	u.end = *sb + bpf_core_field_offset(struct super_block, s_mounts);
	u.link = (u64)BPF_CORE_READ(held, s_mounts.next);
	call_back(HB_BPFFS_MOUNTS, look_at_mount, &u);
	if (!u.goes || (u.stays && !u.spreads))
		return see_unmount(mnt, flags);
	return refuse_harm(HB_FILE, HB_CALL_UMOUNT, 0, 0);
}

/*
 * Whatever lockdown would refuse for the sake of the kernel's integrity: its memory, its ports, its firmware tables. And
 * /proc/kcore, by which the pages of every file can be read.
 */
SEC("lsm/locked_down")
int BPF_PROG(locked_down, int what)
{
	if (what != bpf_core_enum_value(enum lockdown_reason, LOCKDOWN_KCORE) &&
	    (what <= 0 || what >= bpf_core_enum_value(enum lockdown_reason, LOCKDOWN_INTEGRITY_MAX)))
		return 0;
	return refuse_harm(HB_CAPABILITIES, HB_CALL_KERNEL, what, 0);
}

/* A module or another kernel, from a file or (NULL) from memory. */
static __noinline int see_image(struct file *file)
{
	struct hb_access x = { .call = HB_CALL_KERNEL };

	if (file) {
		x.dentry = (u64)BPF_CORE_READ(file, f_path.dentry);
		x.mnt = (u64)BPF_CORE_READ(file, f_path.mnt);
	}
	return see(&x, HB_CAPABILITIES);
}

SEC("lsm/kernel_read_file")
int BPF_PROG(kernel_read_file, struct file *file, int id)
{
	if (id != bpf_core_enum_value(enum kernel_read_file_id, READING_MODULE) &&
	    id != bpf_core_enum_value(enum kernel_read_file_id, READING_KEXEC_IMAGE) &&
	    id != bpf_core_enum_value(enum kernel_read_file_id, READING_KEXEC_INITRAMFS))
		return 0;
	return refuse_harm(HB_CAPABILITIES, HB_CALL_KERNEL, 0, 0) ? -EACCES : see_image(file);
}

SEC("lsm/kernel_load_data")
int BPF_PROG(kernel_load_data, int id)
{
	if (id != bpf_core_enum_value(enum kernel_load_data_id, LOADING_MODULE) &&
	    id != bpf_core_enum_value(enum kernel_load_data_id, LOADING_KEXEC_IMAGE))
		return 0;
	return refuse_harm(HB_CAPABILITIES, HB_CALL_KERNEL, 0, 0) ? -EACCES : see_image(NULL);
}

/* Makes every process that the iterator visits one that looks after engines. */
SEC("iter/task")
int keep_tasks(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	u64 leader;
	u8 yes = 1;

	if (!task)
		return 0;
	leader = (u64)BPF_CORE_READ(task, group_leader);
	bpf_map_update_elem(&keepers, &leader, &yes, BPF_ANY);
	return 0;
}

/* Notes the superblock of the bpffs, of which user space has one directory open. */
SEC("iter/task_file")
int note_pins(struct bpf_iter__task_file *ctx)
{
	struct file *file = ctx->file;
	struct super_block *sb;
	u32 zero = 0;
	u64 found;

	if (!ctx->task || !file)
		return 0;
	sb = BPF_CORE_READ(file, f_path.dentry, d_sb);
	found = (u64)sb;
	if (BPF_CORE_READ(sb, s_magic) == BPF_FS_MAGIC)
		bpf_map_update_elem(&pins, &zero, &found, BPF_ANY);
	return 0;
}
