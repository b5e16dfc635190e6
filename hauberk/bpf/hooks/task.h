/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The label: given once, inherited by everything that a task makes, kept until it ends; only the host's may become others
 * (place.h).
 *
 * task_alloc and not the fork tracepoint: create_io_thread() does not pass the tracepoint, so that one io_uring request
 * with IOSQE_ASYNC would run in a worker without a label; and task_alloc can refuse the fork when there is no room.
 */
#include "../lib/place.h"
#include "../lib/verdict.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct hb_labelling);
} labelling SEC(".maps");

SEC("lsm/task_alloc")
int BPF_PROG(task_alloc, struct task_struct *child, unsigned long flags)
{
	struct hb_label *label = current_label(), copy;

	if (!label)
		return 0;
	copy = *label;
	copy.outcome = 0;
	/* Two sets of programs stand while one replaces the other; the second finds the label that the first has given. */
	if (give_label((u64)child, &copy)) {
		name_exec(copy.exec, 1);
		return 0;
	}
	if (label_of((u64)child))
		return 0;
	count(HB_NO_LABEL);
	return -EAGAIN;
}

SEC("lsm/task_free")
int BPF_PROG(task_free, struct task_struct *task)
{
	u64 key = (u64)task;
	struct hb_label *label = label_of(key);
	u32 workload;

	if (!label) {
		if (bpf_map_lookup_elem(&keepers, &key))
			bpf_map_delete_elem(&keepers, &key);
		return 0;
	}
	workload = label->workload;
	name_exec(label->exec, -1);
	bpf_map_delete_elem(&labels, &key);
	leave_workload(workload);
	return 0;
}

/* Labels every task that the iterator visits: the threads of one process, or of all. */
SEC("iter/task")
int label_tasks(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct hb_label label = { .flags = HB_L_UNCHECKED };
	struct hb_labelling *order;
	u32 zero = 0;

	order = bpf_map_lookup_elem(&labelling, &zero);
	if (!task || !order)
		return 0;
	label.workload = order->workload;
	label.generation = workload_of(&label)->generation;
	if (label_of((u64)task))
		order->kept++;
	else if (give_label((u64)task, &label))
		order->given++;
	else
		order->failed++;
	return 0;
}

/*
 * Labels every task as its place says (lib/place.h). A task that is being made meanwhile by one without a label is not seen
 * until the kernel has numbered it, and its maker may have got a label by then: user space reads on until there is nothing
 * more to give. What is left is a fork that takes longer than that; such a task is labelled at its next exec.
 */
SEC("iter/task")
int place_tasks(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct hb_labelling *order;
	u32 zero = 0;
	int came;

	order = bpf_map_lookup_elem(&labelling, &zero);
	if (!task || !order || (task->flags & (PF_KTHREAD | PF_EXITING)))
		return 0;
	came = settle((u64)task);
	if (came > 0)
		order->given++;
	else if (came < 0)
		order->failed++;
	else
		order->kept++;
	return 0;
}
