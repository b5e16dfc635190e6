/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Every map of the engine. User space sets the sizes before it loads. */
#ifndef HAUBERK_MAPS_H
#define HAUBERK_MAPS_H

#include "kernel.h"
#include "../abi.h"

/* Offsets into the arena are masked with this; user space sets it to the arena's size, a power of two, less 8. */
const volatile u32 arena_mask = (1u << 20) - 8;

/* The workloads. A section of its own, which becomes a map of its own: its address is known without a lookup. */
struct hb_workload heads[HB_WORKLOADS] SEC(".data.heads");

/* By workload: the generation since which classes of programs have had the numbers that they have now. */
u32 numbered_since[HB_WORKLOADS] SEC(".data.since");

/* Every table, in one value, so that an offset is all that a pointer needs. User space writes it through mmap. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(u32));
	__uint(value_size, 1 << 20);
} arena SEC(".maps");

/*
 * task_struct -> label. A preallocated hash rather than task storage: on 6.1 a storage lookup can answer NULL for a
 * task that has one, when another task of the same processor was preempted inside it (preempt=full), and NULL must mean
 * that there is no label. A lookup here takes no lock. Filled in task_alloc, emptied in task_free.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__type(key, u64);
	__type(value, struct hb_label);
} labels SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct hb_mount_key);
	__type(value, struct hb_mount);
} mounts SEC(".maps");

/* Processes that look after engines, by their leader's task_struct; and ids of the engines' parts. Shared by all engines. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, u64);
	__type(value, u8);
} keepers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, u64);
	__type(value, u8);
} guarded SEC(".maps");

/* Names of files with several links; looked at only for such. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct hb_link_key);
	__type(value, struct hb_link);
} links SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} violations SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} events SEC(".maps");

/* A map of its own, as above. User space maps it, and closes its windows. */
struct hb_repeats repeats SEC(".data.repeats");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, HB_COUNTERS);
	__type(key, u32);
	__type(value, u64);
} counters SEC(".maps");

/* For user space only. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct hb_stamp);
} stamp SEC(".maps");

/*
 * Always 0, which the verifier does not know. Before 6.8 (commit ab5cfac139ab, "bpf: verify callbacks as if they are called
 * unknown number of times") it holds that bpf_loop() calls back once at most: of flags that begin as a known 0 and are set
 * by different turns it believes that only one can be set, and drops the branches for both.
 */
volatile u32 unknown_zero;

/*
 * bpf_loop() where no walk waits for it: for records, scratches and links. Where the verifier knows that the flags are 0, it
 * writes the loop out into the program (since 5.19, commit 1ade23711971, "bpf: Inline calls to bpf_loop when callback is
 * known"), as it does a lookup; and at each such place it copies the program and all that it knows of it: thousands of
 * instructions, dozens of places, fifty programs.
 */
static __always_inline void call_back(u32 times, void *function, void *context)
{
	bpf_loop(times, function, context, unknown_zero);
}

/* Not inlined, so that a program has the lookup once. */
__noinline int count(u32 which)
{
	u64 *n = bpf_map_lookup_elem(&counters, &which);

	/* atomic all the same: with preempt=full another program of this processor can get in between */
	if (n)
		__sync_fetch_and_add(n, 1);
	return 0;
}

/* The arena and its mask, read once: the mask is volatile, and each use would load it anew. */
struct hb_arena {
	u8 *base;
	u64 mask;
};

static __always_inline struct hb_arena get_arena(void)
{
	u32 zero = 0;

	return (struct hb_arena){ bpf_map_lookup_elem(&arena, &zero), arena_mask };
}

/*
 * The same off the hot path: like count(), so that a program has the lookup once. It takes a level of calls, of which there are
 * eight at most.
 */
static __noinline void *arena_base(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&arena, &zero);
}

static __always_inline struct hb_arena get_arena_slowly(void)
{
	return (struct hb_arena){ arena_base(), arena_mask };
}

/* The address of an offset. The mask comes last and behind a barrier, else clang drops it and the verifier its proof. */
static __always_inline u8 *arena_at(struct hb_arena a, u64 offset)
{
	asm volatile("%0 &= %1; %0 += %2" : "+r"(offset) : "r"(a.mask), "r"(a.base));
	return (u8 *)offset;
}

static __always_inline u64 word_at(struct hb_arena a, u64 offset)
{
	return *(u64 *)arena_at(a, offset);
}

static __always_inline u32 half_at(struct hb_arena a, u64 offset)
{
	u64 w = word_at(a, offset);

	return offset & 4 ? w >> 32 : w;
}

#endif
