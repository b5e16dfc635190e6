/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The arguments of a program about to run, for its alert.
 *
 * At bprm_check_security they lie in the new program's memory, which nobody else holds yet, so that what is read is what the
 * program would get; the caller's own copy could be changed meanwhile. That memory is not the current task's: its page table
 * is walked by hand (arch/x86/include/asm/pgtable_64_types.h). Elsewhere than on x86-64 alerts have no arguments.
 */
#ifndef HAUBERK_ARGUMENTS_H
#define HAUBERK_ARGUMENTS_H

#include "scratch.h"

#define HB_ARGUMENTS 4096u /* bytes of all arguments that a record carries */
#define HB_ARGUMENT_STEPS 128u /* arguments and page crossings */

#ifdef __TARGET_ARCH_x86

#define PAGE 4096ull
#define FRAME 0x000ffffffffff000ull
#define PRESENT 0x1ull
#define LARGE 0x80ull

static __always_inline u64 table_entry(u64 table, u64 address, u32 shift)
{
	u64 entry = 0;

	bpf_probe_read_kernel(&entry, sizeof(entry), (void *)(table + (address >> shift & 511) * 8));
	return entry;
}

/* Where the kernel sees a byte of another memory; 0 if it is not there. Not static: the verifier walks it once. */
__noinline u64 kernel_address(u64 pgd, u64 address)
{
	u64 linear = 0, entry;
	u32 top = 39; /* 48 with five levels */

	bpf_probe_read_kernel(&linear, sizeof(linear), (void *)page_offset_base);
	bpf_probe_read_kernel(&top, sizeof(top), (void *)pgdir_shift);
	entry = table_entry(pgd, address, top & 63);
	if (top == 48 && (entry & PRESENT))
		entry = table_entry(linear + (entry & FRAME), address, 39);
#pragma unroll
	for (u32 shift = 30; shift >= 12; shift -= 9) {
		if (!(entry & PRESENT) || (entry & LARGE))
			return 0;
		entry = table_entry(linear + (entry & FRAME), address, shift);
	}
	return entry & PRESENT ? linear + (entry & FRAME) + (address & (PAGE - 1)) : 0;
}

struct hb_reading {
	u64 pgd;
	u64 address;
	u32 left; /* arguments not yet ended */
	u32 begin;
	u32 slot;
};

static long read_argument(u32 i, struct hb_reading *r)
{
	struct hb_scratch *s = scratch_at(r->slot);
	u32 rest = PAGE - (r->address & (PAGE - 1));
	u64 from;
	long n;

	if (!s || !r->left || s->walk.out - r->begin >= HB_ARGUMENTS)
		return 1;
	from = kernel_address(r->pgd, r->address);
	if (!from)
		return 1;
	/* one byte more than the page has: as many read means that the argument goes on in the next page */
	n = bpf_probe_read_kernel_str(&s->out[s->walk.out & (HB_OUT - 1)], (rest & (PAGE * 2 - 1)) + 1, (void *)from);
	if (n <= 0)
		return 1;
	if (n > rest)
		n = rest;
	else
		r->left--;
	s->walk.out += n;
	r->address += n;
	return 0;
}

/* Append the arguments of a program about to run, each with its NUL; the bytes. */
__noinline int write_arguments(u64 program, u32 slot)
{
	struct hb_scratch *s = scratch_at(slot);
	struct linux_binprm *bprm = (void *)program;
	struct hb_reading r = { .slot = slot };

	if (!s || !bprm)
		return 0;
	r.pgd = (u64)BPF_CORE_READ(bprm, mm, pgd);
	r.address = BPF_CORE_READ(bprm, p);
	r.left = BPF_CORE_READ(bprm, argc);
	r.begin = s->walk.out;
	call_back(HB_ARGUMENT_STEPS, read_argument, &r);
	if (s->walk.out - r.begin > HB_ARGUMENTS)
		s->walk.out = r.begin + HB_ARGUMENTS;
	return s->walk.out - r.begin;
}

#else

__noinline int write_arguments(u64 program, u32 slot)
{
	return 0;
}

#endif
#endif
