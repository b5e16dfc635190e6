/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The refusal of what no policy need speak of: it would end the enforcement. */
#ifndef HAUBERK_HARM_H
#define HAUBERK_HARM_H

#include "verdict.h"

/* `how` and `whom` are the record's details. 0 if the current task may do it. */
static __noinline int refuse_harm(u32 section, u32 call, u32 how, u32 whom)
{
	struct hb_access x = { .owner = ~0u, .word = WORD(HB_REFUSE, HB_RULE_GUARD) };
	struct hb_label *label = confining_label();

	if (!label)
		return 0;
	x.active = *(volatile u64 *)&workload_of(label)->table;
	x.workload = label->workload;
	x.section = section;
	x.call = call;
	x.detail[0] = how;
	x.detail[1] = whom;
	report(&x);
	return -EACCES;
}

#endif
