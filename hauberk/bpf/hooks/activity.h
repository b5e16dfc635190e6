/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What no rule speaks of and users want to see: ends of processes, outcomes of execs, changes of user and group, mounts, calls
 * of bpf(2). None of these programs is attached while nobody wants to. What also needs guarding is seen in guard.h.
 */
#include "../lib/see.h"

/*
 * The last thread of a process ends. Here and not at the tracepoint of exit, as the task loses its memory in between, and with
 * it its program (do_exit in kernel/exit.c); and here the kernel has counted the threads.
 */
SEC("fentry/taskstats_exit")
int BPF_PROG(process_exit, struct task_struct *task, int last)
{
	struct hb_access x = { .call = HB_CALL_EXIT };

	if (!last)
		return 0;
	/* as wait(2) tells it (wait_task_zombie) */
	if (BPF_CORE_READ(task, signal, flags) & SIGNAL_GROUP_EXIT)
		x.detail[0] = BPF_CORE_READ(task, signal, group_exit_code);
	else
		x.detail[0] = BPF_CORE_READ(task, group_leader, exit_code);
	return see(&x, HB_PROCESS);
}

/*
 * What came of an exec that was permitted, and reported for being so: that the file is no program, or has no interpreter, the
 * kernel finds out later. A failed exec changes nothing else in the label: the next one decides anew.
 */
SEC("fexit/bprm_execve")
int exec_ended(u64 *ctx)
{
	struct hb_event e = { .verdict = HB_PERMIT, .section = HB_PROCESS, .call = HB_CALL_EXECUTED };
	struct hb_label *label = current_label();
	u64 result = 0;

	if (!label || !label->outcome)
		return 0;
	bpf_get_func_ret(ctx, &result);
	e.time_ns = bpf_ktime_get_boot_ns();
	e.workload = label->workload;
	e.detail[0] = label->outcome;
	e.detail[1] = result;
	label->outcome = 0;
	/* no access is lost with it: user space tells of the exec, and that its outcome is not known */
	bpf_ringbuf_output(&events, &e, sizeof(e), 0);
	return 0;
}

SEC("lsm/task_fix_setuid")
int BPF_PROG(task_fix_setuid, struct cred *new, const struct cred *old)
{
	struct hb_access x = { .call = HB_CALL_SETUID };

	x.detail[0] = BPF_CORE_READ(new, uid.val);
	x.detail[1] = BPF_CORE_READ(new, euid.val);
	x.detail[2] = BPF_CORE_READ(old, uid.val);
	x.detail[3] = BPF_CORE_READ(old, euid.val);
	return see(&x, HB_CAPABILITIES);
}

SEC("lsm/task_fix_setgid")
int BPF_PROG(task_fix_setgid, struct cred *new, const struct cred *old)
{
	struct hb_access x = { .call = HB_CALL_SETGID };

	x.detail[0] = BPF_CORE_READ(new, gid.val);
	x.detail[1] = BPF_CORE_READ(new, egid.val);
	x.detail[2] = BPF_CORE_READ(old, gid.val);
	x.detail[3] = BPF_CORE_READ(old, egid.val);
	return see(&x, HB_CAPABILITIES);
}

SEC("lsm/sb_mount")
int BPF_PROG(sb_mount, const char *source, const struct path *path, const char *type, unsigned long flags)
{
	struct hb_access x = { .call = HB_CALL_MOUNT };

	x.dentry = (u64)BPF_CORE_READ(path, dentry);
	x.mnt = (u64)BPF_CORE_READ(path, mnt);
	x.other = (u64)ctx;
	x.detail[0] = flags;
	return see(&x, HB_CAPABILITIES);
}

/* Of mounts made by fsmount(2) or open_tree(2). */
SEC("lsm/move_mount")
int BPF_PROG(move_mount, const struct path *from, const struct path *to)
{
	struct hb_access x = { .call = HB_CALL_MOUNT };

	x.dentry = (u64)BPF_CORE_READ(to, dentry);
	x.mnt = (u64)BPF_CORE_READ(to, mnt);
	return see(&x, HB_CAPABILITIES);
}

/* Commands that work on a map's elements come by the thousand and say little (include/uapi/linux/bpf.h). */
#define ON_ELEMENTS                                                                                       \
	(1u << BPF_MAP_LOOKUP_ELEM | 1u << BPF_MAP_UPDATE_ELEM | 1u << BPF_MAP_DELETE_ELEM |              \
	 1u << BPF_MAP_GET_NEXT_KEY | 1u << BPF_MAP_LOOKUP_AND_DELETE_ELEM | 1u << BPF_MAP_LOOKUP_BATCH | \
	 1u << BPF_MAP_LOOKUP_AND_DELETE_BATCH | 1u << BPF_MAP_UPDATE_BATCH | 1u << BPF_MAP_DELETE_BATCH)

SEC("lsm/bpf")
int BPF_PROG(bpf_call, int command)
{
	struct hb_access x = { .call = HB_CALL_BPF };

	if (command < 0 || (command < 32 && (ON_ELEMENTS >> command & 1)))
		return 0;
	x.detail[0] = command;
	return see(&x, HB_CAPABILITIES);
}
