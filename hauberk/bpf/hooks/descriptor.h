/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Files that are open already: those which an exec would hand on to a program that the rules keep them from, and for
 * user space those which tasks opened before a rule came.
 */
#include "../lib/verdict.h"

#define HB_DESCRIPTORS 65536u /* of one task; an exec by one that has room for more is refused */

/* Terminals, and /dev/null, zero, full, random and urandom (Documentation/admin-guide/devices.txt): streams that commands are given. */
static __always_inline bool is_stream(struct inode *inode)
{
	u32 dev = BPF_CORE_READ(inode, i_rdev), major = dev >> 20, minor = dev & 0xfffff;

	if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) != S_IFCHR)
		return false;
	if (major == 1)
		return minor < 10 && (0x3a8 >> minor & 1);
	return major == 4 || major == 5 || (major >= 136 && major <= 143);
}

/* Why it is open, as an access by the task; false if it is no file that reading or writing decides. */
static __always_inline bool describe_open_file(struct hb_access *x, struct file *file, u32 fd)
{
	u32 mode = BPF_CORE_READ(file, f_mode);

	x->detail[0] = BPF_CORE_READ(file, f_flags);
	x->detail[1] = fd;
	x->operations = (mode & (FMODE_READ | FMODE_WRITE)) << 2;
	if (!x->operations || (mode & FMODE_PATH) || (BPF_CORE_READ(file, f_inode, i_sb, s_flags) & SB_NOUSER))
		return false;
	/* no name is left of it that a rule could speak of */
	if (!BPF_CORE_READ(file, f_inode, i_nlink) || is_stream(BPF_CORE_READ(file, f_inode)))
		return false;
	x->section = HB_FILE;
	x->dentry = (u64)BPF_CORE_READ(file, f_path.dentry);
	x->mnt = (u64)BPF_CORE_READ(file, f_path.mnt);
	x->owner = BPF_CORE_READ(file, f_inode, i_uid.val);
	return true;
}

struct hb_inheritance {
	struct hb_access x; /* here and not in the callback, for the sake of the stack */
	u64 files; /* the array of file pointers */
	u64 closing; /* bitmap of those that the exec closes */
	u32 refused;
};

static long inherit(u32 fd, struct hb_inheritance *i)
{
	struct file *file = NULL;
	u64 closing = 0;

	bpf_probe_read_kernel(&file, sizeof(file), (void *)(i->files + fd * 8ull));
	if (!file)
		return 0;
	bpf_probe_read_kernel(&closing, sizeof(closing), (void *)(i->closing + fd / 64 * 8ull));
	if ((closing >> (fd & 63) & 1) || !describe_open_file(&i->x, file, fd))
		return 0;
	judge_slowly(&i->x, false);
	/* a posture says what may be opened: streams that somebody gave the program are no such thing */
	if (VERDICT(i->x.word) != HB_REFUSE || RULE(i->x.word) >= HB_RULE_POSTURE)
		return 0;
	i->refused = 1;
	return 1;
}

/* Would the exec under way leave the new program with a file that a Block keeps from it? */
static __noinline bool inherits_refused(void)
{
	struct hb_inheritance i = { .x.call = HB_CALL_INHERIT };
	struct hb_label *label = current_label();
	struct task_struct *task;
	struct fdtable *table;
	u32 count;

	if (!label)
		return false;
	i.x.active = *(volatile u64 *)&workload_of(label)->table;
	if (!(i.x.active & HB_T_BLOCKS) || (label->next_program == label->program && !(label->flags & HB_L_UNCHECKED)))
		return false;
	i.x.workload = label->workload;
	i.x.program = label->next_program;
	i.x.replaced = label->program;
	task = (void *)bpf_get_current_task();
	table = BPF_CORE_READ(task, files, fdt);
	i.files = (u64)BPF_CORE_READ(table, fd);
	i.closing = (u64)BPF_CORE_READ(table, close_on_exec);
	count = BPF_CORE_READ(table, max_fds);
	if (count > HB_DESCRIPTORS)
		return true;
	call_back(count, inherit, &i);
	if (i.refused)
		report(&i.x);
	return i.refused;
}

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u32);
} holding SEC(".maps"); /* the workload that `list_held` looks at */

/* Records of all files that tasks of a workload have open and that its table refuses them, as if they opened them now. */
SEC("iter/task_file")
int list_held(struct bpf_iter__task_file *ctx)
{
	struct hb_access x = { .call = HB_CALL_HOLD };
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	u32 zero = 0, *workload = bpf_map_lookup_elem(&holding, &zero), head[2] = {};
	struct hb_scratch *s;
	struct hb_label *label;
	int slot;

	if (!task || !file || !workload)
		return 0;
	label = label_of((u64)task);
	if (!label || label->workload != *workload || !describe_open_file(&x, file, ctx->fd))
		return 0;
	x.active = *(volatile u64 *)&workload_of(label)->table;
	if (!(x.active & HB_T_FILE))
		return 0;
	x.workload = label->workload;
	x.program = label->program;
	x.replaced = label->replaced;
	x.task = (u64)task;
	judge_slowly(&x, false);
	if (VERDICT(x.word) != HB_REFUSE)
		return 0;
	slot = claim_scratch();
	s = slot < 0 ? NULL : scratch_at(slot);
	if (!s)
		return 0;
	s->walk.top.depth = TABLE_OF(x.active);
	write_record(&x, slot);
	/* framed as shim_ring_drain() frames a ring's records */
	head[0] = s->walk.out & (HB_OUT - 1);
	bpf_seq_write(ctx->meta->seq, head, sizeof(head));
	bpf_seq_write(ctx->meta->seq, s->out, (head[0] + 7) & (HB_OUT - 1) & ~7u);
	release_scratch(slot);
	return 0;
}

/* Who the files are that user space has open, in the order of its descriptors. */
SEC("iter/task_file")
int identify_files(struct bpf_iter__task_file *ctx)
{
	struct file *file = ctx->file;
	struct hb_file_identity identity = { .fd = ctx->fd };

	if (!ctx->task || !file)
		return 0;
	identity.dev = BPF_CORE_READ(file, f_path.dentry, d_inode, i_sb, s_dev);
	identity.ino = BPF_CORE_READ(file, f_path.dentry, d_inode, i_ino);
	identity.generation = BPF_CORE_READ(file, f_path.dentry, d_inode, i_generation);
	identity.links = BPF_CORE_READ(file, f_path.dentry, d_inode, i_nlink);
	bpf_seq_write(ctx->meta->seq, &identity, sizeof(identity));
	return 0;
}
