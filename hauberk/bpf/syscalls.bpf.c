/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * System calls that rules name, reported when they return. An object of its own, loaded while there are such rules: it
 * works on the maps of the engine beside it, and a call that no rule names has nothing attached.
 *
 * User space loads one of the programs below for each kernel function that serves a named call (__x64_sys_unlink). The
 * link's cookie says which call that is, and which of its arguments are paths. Which rule speaks of a call, if any, user
 * space finds: here only the workload and the call are looked at.
 *
 * A path is what the caller's memory says when the call returns, with the directory that it starts from.
 */
#include "lib/syscall.h"

/* All calls but those that never return, or return in another program. */
#define RETURNED(n)                                                                  \
	SEC("?fexit")                                                                \
	int returned_##n(u64 *ctx)                                                   \
	{                                                                            \
		return audit(ctx[0], result_of(ctx[1]), bpf_get_attach_cookie(ctx)); \
	}

/* exit, exit_group, execve, execveat: as they begin. */
#define ENTERED(n)                                                              \
	SEC("?fentry")                                                          \
	int entered_##n(u64 *ctx)                                               \
	{                                                                       \
		return audit(ctx[0], HB_ATTEMPTED, bpf_get_attach_cookie(ctx)); \
	}

RETURNED(0)
RETURNED(1)
RETURNED(2)
RETURNED(3)
RETURNED(4)
RETURNED(5)
RETURNED(6)
RETURNED(7)
RETURNED(8)
RETURNED(9)
RETURNED(10)
RETURNED(11)
RETURNED(12)
RETURNED(13)
RETURNED(14)
RETURNED(15)
ENTERED(0)
ENTERED(1)
ENTERED(2)
ENTERED(3)

char LICENSE[] SEC("license") = "Dual BSD/GPL";
