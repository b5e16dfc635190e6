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
	if (family == AF_PACKET || family == AF_XDP) {
		kind = KIND_PACKET;
	} else if (family == AF_SMC) {
		if (type == SOCK_STREAM)
			kind = KIND_TCP;
	} else if (family == AF_INET || family == AF_INET6) {
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
	}
	/* `raw` speaks of the inet and packet families only */
	if (type == SOCK_RAW && family != AF_INET && family != AF_INET6 && family != AF_PACKET)
		type = 0;
	return kind * 8 + (type <= SOCK_SEQPACKET ? type : 0);
}

static __noinline int use_socket(u32 family, u32 type, u32 protocol, u32 call)
{
	struct hb_access x = { .operations = 1u << HB_EXEC, .section = HB_NETWORK, .call = call };
	struct hb_view v;
	u32 accept;

	if (family == AF_UNIX || family == AF_NETLINK || !current_view(&v, HB_T_NETWORK | HB_T_SEE))
		return 0;
	begin(&v, &x);
	x.owner = ~0u;
	x.detail[0] = family;
	x.detail[1] = type;
	x.detail[2] = protocol;
	accept = half_at(v.a, (u64)TABLE_FIELD(&v, network) + socket_kind(family, type, protocol) * 4);
	x.word = weigh(&v, accept, &x, false);
	return conclude(&v, &x);
}

static __always_inline int use(struct socket *sock, u32 call)
{
	struct sock *sk = sock->sk;

	if (!sk)
		return 0;
	return use_socket(sk->__sk_common.skc_family, sock->type, sk->sk_protocol, call);
}

SEC("lsm/socket_create")
int BPF_PROG(socket_create, int family, int type, int protocol, int kern)
{
	if (kern)
		return 0;
	return use_socket(family, type, protocol, HB_CALL_SOCKET);
}

SEC("lsm/socket_bind")
int BPF_PROG(socket_bind, struct socket *sock)
{
	return use(sock, HB_CALL_BIND);
}

SEC("lsm/socket_connect")
int BPF_PROG(socket_connect, struct socket *sock)
{
	return use(sock, HB_CALL_CONNECT);
}

SEC("lsm/socket_listen")
int BPF_PROG(socket_listen, struct socket *sock)
{
	return use(sock, HB_CALL_LISTEN);
}

SEC("lsm/socket_accept")
int BPF_PROG(socket_accept, struct socket *sock)
{
	return use(sock, HB_CALL_ACCEPT);
}

/*
 * A datagram that names its receiver; what a connected socket sends was decided when it connected. With MSG_FASTOPEN the
 * sending connects, and passes no other hook (tcp_sendmsg_fastopen in net/ipv4/tcp.c).
 */
SEC("lsm/socket_sendmsg")
int BPF_PROG(socket_sendmsg, struct socket *sock, struct msghdr *msg)
{
	if (!msg->msg_name)
		return 0;
	if (sock->type == SOCK_STREAM)
		return msg->msg_flags & MSG_FASTOPEN ? use(sock, HB_CALL_CONNECT) : 0;
	return use(sock, HB_CALL_SENDMSG);
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
