/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the unit tests of hauberk.kernel load: every kind of map, and programs that any kernel takes and none enforces. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#ifndef NULL
#define NULL ((void *)0)
#endif

struct inner {
	__u16 a, b;
};

struct sample {
	__u64 first;
	struct inner inner;
	char name[12];
	union {
		__u32 left;
		__u16 right[2];
	};
};

struct request {
	__u32 records;
	__u32 bytes;
};

struct task_struct {
	int pid;
	int tgid;
} __attribute__((preserve_access_index));

struct bpf_iter_meta {
	struct seq_file *seq;
} __attribute__((preserve_access_index));

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
} __attribute__((preserve_access_index));

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct sample);
} table SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, __u64[4]);
} arena SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} per_cpu SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

const volatile __u32 constant = 1;
const volatile __u64 wide = 2;
__u64 counter;

char LICENSE[] SEC("license") = "GPL";

/* Returns what the test has stored through the mapping, and stores its double beside it. */
SEC("socket")
int read_arena(void *ctx)
{
	__u64 *values = bpf_map_lookup_elem(&arena, &(__u32){ 0 });

	if (!values)
		return 0;
	values[1] = values[0] * 2;
	return (int)values[0];
}

static long nothing(__u32 i, void *ctx)
{
	return 0;
}

/* Says in the arena when it begins and when it ends, some 16 million rounds later. */
SEC("socket")
int take_long(void *ctx)
{
	__u64 *values = bpf_map_lookup_elem(&arena, &(__u32){ 0 });

	if (!values)
		return 0;
	*(volatile __u64 *)&values[2] = 1;
	bpf_loop(1 << 23, nothing, NULL, 0);
	bpf_loop(1 << 23, nothing, NULL, 0);
	*(volatile __u64 *)&values[2] = 2;
	return 0;
}

SEC("socket")
int read_constants(void *ctx)
{
	return (int)(constant + wide);
}

/* Writes `records` records, record i with `bytes` bytes that start with i; the one before the last is discarded. */
SEC("syscall")
int write_ring(struct request *request)
{
	__u32 written = 0;

	for (__u32 i = 0; i < 64; i++) {
		__u32 *record;

		if (i >= request->records)
			break;
		if (request->bytes == 8)
			record = bpf_ringbuf_reserve(&ring, 8, 0);
		else
			record = bpf_ringbuf_reserve(&ring, 21, 0);
		if (!record)
			break;
		record[0] = i;
		if (i + 2 == request->records) {
			bpf_ringbuf_discard(record, 0);
			continue;
		}
		bpf_ringbuf_submit(record, 0);
		written++;
	}
	return (int)written;
}

SEC("syscall")
int count_cpu(void *ctx)
{
	__u32 *value = bpf_map_lookup_elem(&per_cpu, &(__u32){ 0 });

	if (value)
		*value += 1;
	__sync_fetch_and_add(&counter, 1);
	return 0;
}

SEC("iter/task")
int list_tasks(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	int ids[2];

	if (!task)
		return 0;
	ids[0] = task->tgid;
	ids[1] = task->pid;
	bpf_seq_write(ctx->meta->seq, ids, sizeof(ids));
	return 0;
}

/* Reads beyond a map value: every verifier refuses it. */
SEC("socket")
int unsafe_read(void *ctx)
{
	__u64 *values = bpf_map_lookup_elem(&arena, &(__u32){ 0 });

	return values ? (int)values[100] : 0;
}

/* Names the struct so that it is in the object's BTF. */
struct sample *sample_in_btf __attribute__((unused));
