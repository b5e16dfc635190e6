/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Capabilities, by number. The kernel's own refusal comes first, so that what reaches this hook would be granted. */
#include "../lib/verdict.h"

SEC("lsm/capable")
int BPF_PROG(capable, const struct cred *cred, void *user_ns, int cap, unsigned int opts)
{
	struct hb_access x = { .operations = 1u << HB_EXEC, .section = HB_CAPABILITIES, .call = HB_CALL_CAPABLE };
	struct hb_view v;

	if (!current_view(&v, HB_T_CAPABILITIES | HB_T_SEE))
		return 0;
	if (on_lent_credentials() && cred == bpf_get_current_task_btf()->cred)
		return 0;
	begin(&v, &x);
	x.owner = ~0u;
	x.detail[0] = cap;
	x.word = weigh(&v, half_at(v.a, (u64)TABLE_FIELD(&v, capabilities) + (cap & (HB_CAPS - 1)) * 4), &x, false);
	/* a probe: the caller only asks, and does without */
	if (opts & CAP_OPT_NOAUDIT)
		return VERDICT(x.word) == HB_REFUSE ? -EACCES : 0;
	return conclude(&v, &x);
}
