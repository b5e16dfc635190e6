/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Sockets of every family but unix and netlink, which no rule speaks of. */
#include "../lib/verdict.h"

enum protocol_kind {
	KIND_OTHER = 0,
	KIND_TCP,
	KIND_UDP,
	KIND_ICMP,
	KIND_ICMPV6,
	KIND_SCTP,
	KIND_DCCP,
	KIND_PACKET,
};

/*
 * The row of the network table. A socket made with protocol 0 gets its type's only protocol: the same row before and after.
 */
static __always_inline u32 socket_kind(u32 family, u32 type, u32 protocol)
{
	u32 kind = KIND_OTHER;

	type &= 0xf; /* SOCK_TYPE_MASK */
	/* most first */
	if (family == AF_INET || family == AF_INET6) {
		if (type == SOCK_STREAM && (protocol == 0 || protocol == 6 || protocol == 262))
			kind = KIND_TCP;
		else if (type == SOCK_DGRAM && (protocol == 0 || protocol == 17 || protocol == 136))
			kind = KIND_UDP;
		else if (protocol == 1)
			kind = KIND_ICMP;
		else if (protocol == 58)
			kind = KIND_ICMPV6;
		else if (protocol == 132 || (protocol == 0 && type == SOCK_SEQPACKET))
			kind = KIND_SCTP;
		else if (protocol == 33 || (protocol == 0 && type == SOCK_DCCP))
			kind = KIND_DCCP;
	} else if (family == AF_PACKET || family == AF_XDP) {
		kind = KIND_PACKET;
	} else if (family == AF_SMC) {
		if (type == SOCK_STREAM)
			kind = KIND_TCP;
	}
	/* `raw` speaks of the inet and packet families only */
	if (type == SOCK_RAW && family != AF_INET && family != AF_INET6 && family != AF_PACKET)
		type = 0;
	return kind * 8 + (type <= SOCK_SEQPACKET ? type : 0);
}

/* What network rules say of a socket. */
static __always_inline u32 judge_socket(struct hb_view *v, u32 family, u32 type, u32 protocol)
{
	u32 accept = half_at(v->a, (u64)TABLE_FIELD(v, network) + socket_kind(family, type, protocol) * 4);
	u32 value = value_for(v, accept, v->label->program, v->label->replaced), condition = 0;

	if (value & VALUE_CONDITIONAL)
		condition = conditions_of(~0u, 0) & 3;
	return word_for(v, value, condition, 1u << HB_EXEC, false);
}

/*
 * Nothing is written down for what is permitted and reported to nobody. Unix sockets are only reported; what rules say of them,
 * use_path() asks. `address` is the kernel's copy of a struct sockaddr, of so many bytes; or, with HB_ADDRESS_*, a struct sock.
 */
static __always_inline int use_socket(u32 family, u32 type, u32 protocol, u32 call, const void *address, u32 bytes)
{
	u32 word = WORD(HB_PERMIT, HB_RULE_NONE);
	bool ruled = family != AF_UNIX;
	struct hb_view v;

	if (family == AF_NETLINK || !current_view(&v, ruled ? HB_T_NETWORK | HB_T_SEE : HB_T_SEE))
		return 0;
	if (ruled)
		word = judge_socket(&v, family, type, protocol);
	if (is_quiet(&v, word))
		return 0;
	/* from whom it takes a connection, socket_graft() knows */
	if (call == HB_CALL_ACCEPT && (VERDICT(word) == HB_PERMIT || VERDICT(word) == HB_ALLOWED))
		return 0;
	struct hb_access x = {
		.operations = 1u << HB_EXEC,
		.section = HB_NETWORK,
		.call = call,
		.other = (u64)address,
		.owner = ~0u,
		.detail = { family, type, protocol, bytes },
		.word = word,
	};
	begin(&v, &x);
	return conclude(&v, &x);
}

static __always_inline int use(struct socket *sock, u32 call, const void *address, u32 bytes)
{
	struct sock *sk = sock->sk;

	if (!sk)
		return 0;
	return use_socket(sk->__sk_common.skc_family, sock->type, sk->sk_protocol, call, address, bytes);
}

static __always_inline u32 address_bytes(int length)
{
	return length<0 ? 0 : length>(int) HB_ADDRESS ? HB_ADDRESS : length;
}

SEC("lsm/socket_create")
int BPF_PROG(socket_create, int family, int type, int protocol, int kern)
{
	if (kern)
		return 0;
	return use_socket(family, type, protocol, HB_CALL_SOCKET, NULL, 0);
}

SEC("lsm/socket_bind")
int BPF_PROG(socket_bind, struct socket *sock, void *address, int length)
{
	return use(sock, HB_CALL_BIND, address, address_bytes(length));
}

SEC("lsm/socket_connect")
int BPF_PROG(socket_connect, struct socket *sock, void *address, int length)
{
	return use(sock, HB_CALL_CONNECT, address, address_bytes(length));
}

SEC("lsm/socket_listen")
int BPF_PROG(socket_listen, struct socket *sock)
{
	return use(sock, HB_CALL_LISTEN, sock->sk, HB_ADDRESS_OWN);
}

SEC("lsm/socket_accept")
int BPF_PROG(socket_accept, struct socket *sock)
{
	return use(sock, HB_CALL_ACCEPT, sock->sk, HB_ADDRESS_OWN);
}

/* A connection that accept(2) takes becomes a socket: permitted by then, and to be reported if that is wanted. */
SEC("lsm/sock_graft")
int BPF_PROG(socket_graft, struct sock *sk, struct socket *parent)
{
	struct hb_access x = {
		.section = HB_NETWORK,
		.call = HB_CALL_ACCEPT,
		.other = (u64)sk,
		.owner = ~0u,
		.word = WORD(HB_PERMIT, HB_RULE_NONE),
	};
	struct hb_view v;

	if (!current_view(&v, HB_T_SEE))
		return 0;
	begin(&v, &x);
	x.detail[0] = BPF_CORE_READ(sk, __sk_common.skc_family);
	x.detail[1] = BPF_CORE_READ(parent, type);
	x.detail[2] = BPF_CORE_READ(sk, sk_protocol);
	x.detail[3] = x.detail[0] == AF_UNIX ? HB_ADDRESS_OWN : HB_ADDRESS_PEER;
	conclude(&v, &x);
	return 0;
}

#define DNS_PORT 53

/* Is it to the port of name servers? `given`: a struct sockaddr in the kernel's memory; NULL: to the socket's peer. */
static __always_inline bool asks_name(struct sock *sk, const void *given, u32 bytes)
{
	u32 family = sk->__sk_common.skc_family;
	u16 port = 0;

	if (family != AF_INET && family != AF_INET6)
		return false;
	/* in sockaddr_in and sockaddr_in6 it is in one place */
	if (!given) {
		port = sk->__sk_common.skc_dport;
		/* else one load would serve both, and the verifier wants to know which memory it is from */
		asm volatile("" : "+r"(port));
	} else if (bytes >= 4)
		bpf_probe_read_kernel(&port, sizeof(port), given + 2);
	return port == __builtin_bswap16(DNS_PORT);
}

/* use_socket() for an access that is written down already: there is no stack for a second one. */
static __noinline int use_written(struct hb_access *x)
{
	bool ruled = x->detail[0] != AF_UNIX;
	struct hb_view v;

	if (x->detail[0] == AF_NETLINK || !current_view(&v, ruled ? HB_T_NETWORK | HB_T_SEE : HB_T_SEE))
		return 0;
	begin(&v, x);
	x->operations = 1u << HB_EXEC;
	x->section = HB_NETWORK;
	x->owner = ~0u;
	x->word = ruled ? judge_socket(&v, x->detail[0], x->detail[1], x->detail[2]) : WORD(HB_PERMIT, HB_RULE_NONE);
	return conclude(&v, x);
}

/* A message to a name server, once it has been permitted. */
static __noinline int see_query(struct hb_access *x)
{
	struct hb_view v;

	if (!current_view(&v, HB_T_SEE) || !(TABLE_FIELD(&v, flags) & HB_T_SEE_DNS))
		return 0;
	begin(&v, x);
	x->section = HB_NETWORK;
	x->call = HB_CALL_DNS;
	x->owner = ~0u;
	x->word = WORD(HB_PERMIT, HB_RULE_NONE);
	return report(x);
}

/*
 * A datagram that names its receiver; what a connected socket sends was decided when it connected. With MSG_FASTOPEN the
 * sending connects, and passes no other hook (tcp_sendmsg_fastopen in net/ipv4/tcp.c). One `x` for all, for the sake of the
 * stack.
 */
SEC("lsm/socket_sendmsg")
int BPF_PROG(socket_sendmsg, struct socket *sock, struct msghdr *msg)
{
	struct sock *sk = sock->sk;
	u32 type = (u16)sock->type;
	struct hb_access x = { .call = HB_CALL_SENDMSG, .other = (u64)msg->msg_name };

	if (!sk)
		return 0;
	if (type == SOCK_STREAM) {
		x.call = HB_CALL_CONNECT;
		if (!(msg->msg_flags & MSG_FASTOPEN))
			x.other = 0;
	}
	if (!x.other && (type > SOCK_DGRAM || !asks_name(sk, NULL, 0)))
		return 0;
	x.detail[0] = sk->__sk_common.skc_family;
	x.detail[1] = type;
	x.detail[2] = sk->sk_protocol;
	x.detail[3] = address_bytes(msg->msg_namelen);
	if (x.other && use_written(&x))
		return -EACCES;
	if (type > SOCK_DGRAM || (x.other && !asks_name(sk, (void *)x.other, x.detail[3])))
		return 0;
	if (!x.other) {
		x.other = (u64)sk;
		x.detail[3] = HB_ADDRESS_PEER;
	}
	x.mnt = (u64)msg;
	see_query(&x);
	return 0;
}

/* Network rules do not speak of unix sockets. A file rule on a socket's path does: whoever connects writes to it. */
static __noinline int use_path(struct sock *other)
{
	struct hb_access x = { .operations = 1u << HB_WRITE, .section = HB_FILE, .call = HB_CALL_UNIX };
	struct unix_sock *socket = (void *)other;
	struct hb_view v;
	struct dentry *d;

	if (!other)
		return 0;
	d = BPF_CORE_READ(socket, path.dentry);
	if (!d || !current_view(&v, HB_T_FILE | HB_T_SEE))
		return 0;
	begin(&v, &x);
	x.dentry = (u64)d;
	x.mnt = (u64)BPF_CORE_READ(socket, path.mnt);
	x.owner = BPF_CORE_READ(d, d_inode, i_uid.val);
	judge_slowly(&x, false);
	return conclude(&v, &x);
}

SEC("lsm/unix_stream_connect")
int BPF_PROG(unix_stream_connect, struct sock *sock, struct sock *other)
{
	return use_path(other);
}

SEC("lsm/unix_may_send")
int BPF_PROG(unix_may_send, struct socket *sock, struct socket *other)
{
	return use_path(other->sk);
}
