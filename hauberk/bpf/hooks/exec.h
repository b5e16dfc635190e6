/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Execution: of programs at bprm_check_security, which runs for a script and again for its interpreter, and of files
 * mapped executable (ld.so, dlopen, LD_PRELOAD). What exec itself maps was decided with the program.
 */
#include "../lib/place.h"
#include "descriptor.h"

u32 last_outcome;

/*
 * Of an exec that is permitted and reported: the number under which its outcome is. A script's interpreter has the script's.
 */
static __always_inline u32 number_outcome(struct hb_view *v, struct hb_access *x)
{
	if (!tells_outcomes || !(v->active & HB_T_SEE) ||
	    (VERDICT(x->word) != HB_PERMIT && VERDICT(x->word) != HB_ALLOWED) ||
	    !(TABLE_FIELD(v, flags) & HB_T_SEE_PROCESS))
		return 0;
	if (!v->label->outcome)
		v->label->outcome = __sync_fetch_and_add(&last_outcome, 1) + 1;
	return v->label->outcome;
}

/* A function of its own, so that its stack is free again when descriptors are looked at. */
static __noinline int weigh_program(struct linux_binprm *bprm)
{
	struct hb_access x = { .operations = 1u << HB_EXEC, .section = HB_PROCESS, .call = HB_CALL_EXEC };
	struct hb_view v;
	u32 state;

	if (!current_view(&v, HB_T_HINTS))
		return 0;
	begin(&v, &x);
	x.dentry = (u64)bprm->file->f_path.dentry;
	x.mnt = (u64)bprm->file->f_path.mnt;
	x.owner = bprm->file->f_inode->i_uid.val;
	x.other = (u64)bprm;
	x.detail[0] = bprm->argc;
	state = judge(&v, &x, bprm->file->f_path.dentry, bprm->file->f_inode);
	v.label->next_program = class_of(program_at(v.a, state));
	v.label->next_workload = x.workload;
	v.label->next_generation = v.active >> 32;
	x.detail[1] = number_outcome(&v, &x);
	return conclude(&v, &x);
}

SEC("lsm/bprm_check_security")
int BPF_PROG(bprm_check_security, struct linux_binprm *bprm)
{
	/* first, so that this very exec is decided under the label that the task has from here on */
	if (is_hosting() && settle(bpf_get_current_task()) < 0) {
		count(HB_NO_LABEL);
		return -EACCES;
	}
	if (weigh_program(bprm) || inherits_refused())
		return -EACCES;
	return 0;
}

/* The point of no return: the task now runs what bprm_check_security last saw. */
SEC("lsm/bprm_committing_creds")
int BPF_PROG(bprm_committing_creds, struct linux_binprm *bprm)
{
	struct hb_label *label = current_label();

	/* once for each exec, also while two sets of programs stand */
	if (!label || !label->next_generation)
		return 0;
	/* else it has become another workload's meanwhile: its class is found anew */
	if (label->workload == label->next_workload) {
		label->replaced = label->generation == label->next_generation ? label->program : 0;
		label->program = label->next_program;
		number_label(label, label->next_workload, label->next_generation);
	}
	label->next_generation = 0;
	note_exec(label, bprm->filename);
	__sync_fetch_and_and(&label->flags, ~HB_L_UNCHECKED);
	return 0;
}

/*
 * What overlayfs maps is the file of one of its layers, opened by the kernel itself; since 6.7 (commit def3ae83da02, "fs:
 * store real path instead of fake path in backing file f_path") the path that the user opened is only found behind it.
 */
struct backing_file {
	struct path user_path;
} __attribute__((preserve_access_index));

static __always_inline const struct path *user_path(struct file *file)
{
	struct backing_file *backing = (void *)file;

	if (!(file->f_mode & FMODE_NOACCOUNT) || !bpf_core_field_exists(backing->user_path))
		return (void *)((u64)file + bpf_core_field_offset(file->f_path));
	return (void *)((u64)file + bpf_core_field_offset(backing->user_path));
}

/*
 * What exec itself maps: the program, which was decided, and the interpreter that the program names (PT_INTERP). That may be
 * any file, and would run like one that was executed; so a rule that refuses running it holds, but for the ELF loaders, without
 * which a rule against running one by hand would stop every program.
 */
static __always_inline bool exec_may_map(struct hb_view *v, struct hb_access *x, struct file *file, u32 state)
{
	struct mm_struct *mm = BPF_CORE_READ(bpf_get_current_task_btf(), mm);

	return file == BPF_CORE_READ(mm, exe_file) || RULE(x->word) >= HB_RULE_POSTURE ||
	       (program_at(v->a, state) & PROGRAM_LOADER);
}

/* `often`: worth the fast walk; the path is the file's own. */
static __always_inline int map_executable(struct file *file, const struct path *path, u32 call, u32 prot, bool often)
{
	struct hb_access x = { .operations = 1u << HB_MAP, .section = HB_PROCESS, .call = call };
	struct hb_view v;
	u32 state;

	if (!current_view(&v, HB_T_FILE | HB_T_PROCESS | HB_T_SEE))
		return 0;
	begin(&v, &x);
	x.owner = file->f_inode->i_uid.val;
	x.detail[0] = prot;
	if (often) {
		x.dentry = (u64)file->f_path.dentry;
		x.mnt = (u64)file->f_path.mnt;
		state = judge(&v, &x, file->f_path.dentry, file->f_inode);
	} else {
		x.dentry = (u64)BPF_CORE_READ(path, dentry);
		x.mnt = (u64)BPF_CORE_READ(path, mnt);
		state = judge_slowly(&x, true);
	}
	if (BPF_CORE_READ_BITFIELD(bpf_get_current_task_btf(), in_execve) && exec_may_map(&v, &x, file, state))
		return 0;
	return conclude(&v, &x);
}

SEC("lsm/mmap_file")
int BPF_PROG(mmap_file, struct file *file, unsigned long reqprot, unsigned long prot, unsigned long flags)
{
	if (!file || !(prot & PROT_EXEC))
		return 0;
	return map_executable(file, NULL, HB_CALL_MMAP, prot, true);
}

SEC("lsm/file_mprotect")
int BPF_PROG(file_mprotect, struct vm_area_struct *vma, unsigned long reqprot, unsigned long prot)
{
	if (!vma->vm_file || !(prot & PROT_EXEC) || (vma->vm_flags & VM_EXEC))
		return 0;
	return map_executable(vma->vm_file, user_path(vma->vm_file), HB_CALL_MPROTECT, prot, false);
}
