/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The address of a socket call: the kernel's copy of what the caller gave, which nobody can change any more, or what the
 * socket itself has.
 */
#ifndef HAUBERK_ADDRESS_H
#define HAUBERK_ADDRESS_H

#include "access.h"
#include "repeats.h"

/* struct sockaddr_in and struct sockaddr_in6 (include/uapi/linux/in.h, in6.h). */
struct hb_inet_address {
	u16 family;
	u16 port;
	u32 address; /* IPv6: flowinfo */
	struct in6_addr address6;
	u32 scope;
};

static __always_inline int fetch_unix_address(struct sock *sk, struct hb_scratch *s)
{
	struct unix_address *a = BPF_CORE_READ((struct unix_sock *)sk, addr);
	int n;

	if (!a)
		return 0;
	n = BPF_CORE_READ(a, len);
	if (n < 0 || n > (int)HB_ADDRESS)
		return 0;
	bpf_probe_read_kernel(s->name, n & 0xff, (u8 *)a + bpf_core_field_offset(a->name));
	return n;
}

static __always_inline int fetch_inet_address(struct sock *sk, u32 family, bool peer, struct hb_scratch *s)
{
	struct hb_inet_address *a = (void *)s->name;

	a->family = family;
	a->port = peer ? BPF_CORE_READ(sk, __sk_common.skc_dport)
		       : __builtin_bswap16(BPF_CORE_READ(sk, __sk_common.skc_num));
	if (family == AF_INET) {
		a->address =
			peer ? BPF_CORE_READ(sk, __sk_common.skc_daddr) : BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
		return 16;
	}
	/* a kernel without IPv6 has no such sockets, and not the fields either */
	if (!bpf_core_field_exists(sk->__sk_common.skc_v6_daddr))
		return 0;
	if (peer)
		BPF_CORE_READ_INTO(&a->address6, sk, __sk_common.skc_v6_daddr);
	else
		BPF_CORE_READ_INTO(&a->address6, sk, __sk_common.skc_v6_rcv_saddr);
	return sizeof(*a);
}

/* The address of a socket call, into the scratch's name; its bytes. */
__noinline int fetch_address(struct hb_access *x, u32 slot)
{
	struct hb_scratch *s = scratch_at(slot);
	struct sock *sk;
	u32 n;

	if (!s || !x || x->section != HB_NETWORK || !x->other)
		return 0;
	__builtin_memset(s->name, 0, HB_ADDRESS);
	n = x->detail[3];
	if (n > HB_ADDRESS) {
		sk = (void *)x->other;
		if (x->detail[0] == AF_UNIX)
			return fetch_unix_address(sk, s);
		if (x->detail[0] != AF_INET && x->detail[0] != AF_INET6)
			return 0;
		return fetch_inet_address(sk, x->detail[0], n == HB_ADDRESS_PEER, s);
	}
	bpf_probe_read_kernel(s->name, n & 0xff, (void *)x->other);
	return n;
}

/* Append the address of a socket call; its bytes. */
__noinline int write_address(struct hb_access *x, u32 slot)
{
	u32 n = fetch_address(x, slot) & 0xff;
	struct hb_scratch *s = scratch_at(slot);

	if (!s || !n)
		return 0;
	bpf_probe_read_kernel(&s->out[s->walk.out & (HB_OUT - 1)], n, s->name);
	s->walk.out += n;
	return n;
}

/* Into the scratch's digest. */
__noinline int digest_address(struct hb_access *x, u32 slot)
{
	u32 n = fetch_address(x, slot) & 0xff;

	if (n)
		call_back((n + 7) / 8, digest_word, &slot);
	return 0;
}

#endif
