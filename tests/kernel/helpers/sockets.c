/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets on the loopback, by numbers. */
#include "act.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

static long verb_socket(char **w)
{
	return hold(socket(atoi(w[0]), atoi(w[1]), w[2] ? atoi(w[2]) : 0));
}

static struct sockaddr_in loopback(const char *port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons(port ? atoi(port) : 0),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static long verb_bind_socket(char **w)
{
	struct sockaddr_in name = loopback(w[0]);

	return bind(held, (struct sockaddr *)&name, sizeof(name));
}

static long verb_connect(char **w)
{
	struct sockaddr_in name = loopback(w[0]);

	return connect(held, (struct sockaddr *)&name, sizeof(name));
}

static long verb_listen(char **w)
{
	(void)w;
	return listen(held, 4);
}

static long verb_accept(char **w)
{
	int fd = accept(held, NULL, NULL);

	(void)w;
	return fd < 0 ? -1 : close(fd);
}

static long verb_send_to(char **w)
{
	struct sockaddr_in name = loopback(w[0]);

	return sendto(held, "x", 1, 0, (struct sockaddr *)&name, sizeof(name)) < 0 ? -1 : 0;
}

static long verb_send(char **w)
{
	(void)w;
	return send(held, "x", 1, 0) < 0 ? -1 : 0;
}

const struct verb socket_verbs[] = {
	{ "socket", verb_socket },   { "bind-socket", verb_bind_socket },
	{ "connect", verb_connect }, { "listen", verb_listen },
	{ "accept", verb_accept },   { "send-to", verb_send_to },
	{ "send", verb_send },	     { NULL, NULL },
};
