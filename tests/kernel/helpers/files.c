/* SPDX-License-Identifier: Apache-2.0 */
/* Files: opens of every kind, names, attributes. */
#include "act.h"
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/xattr.h>

long hold(int fd)
{
	if (fd < 0)
		return -1;
	held = fd;
	return 0;
}

const char *held_path(const char *below)
{
	static char path[4200];

	snprintf(path, sizeof(path), "/proc/self/fd/%d%s%s", held, below ? "/" : "", below ? below : "");
	return path;
}

long read_from(int fd)
{
	char byte;
	long n;

	if (fd < 0)
		return -1;
	n = read(fd, &byte, 1);
	close(fd);
	return n == 1 ? 0 : n < 0 ? -1 : 7;
}

static long closed(int fd)
{
	return fd < 0 ? -1 : close(fd);
}

static long verb_read(char **w)
{
	return read_from(open(w[0], O_RDONLY));
}
static long verb_read_write(char **w)
{
	return closed(open(w[0], O_RDWR));
}
static long verb_write(char **w)
{
	return closed(open(w[0], O_WRONLY));
}
static long verb_append(char **w)
{
	return closed(open(w[0], O_WRONLY | O_APPEND));
}
static long verb_create(char **w)
{
	return closed(open(w[0], O_WRONLY | O_CREAT, 0644));
}
static long verb_cut(char **w)
{
	return closed(open(w[0], O_RDONLY | O_TRUNC));
}
static long verb_list(char **w)
{
	return closed(open(w[0], O_RDONLY | O_DIRECTORY));
}
static long verb_stat(char **w)
{
	struct stat s;
	return stat(w[0], &s);
}

static long verb_put(char **w)
{
	int fd = open(w[0], O_WRONLY | O_CREAT | O_TRUNC, 0755);
	long n = fd < 0 ? -1 : write(fd, w[1], strlen(w[1]));

	if (fd >= 0)
		close(fd);
	return n < 0 ? -1 : 0;
}

/* Descriptors that later statements use. */
static long verb_hold(char **w)
{
	return hold(open(w[0], O_RDONLY));
}
static long verb_opath(char **w)
{
	return hold(open(w[0], O_PATH));
}
static long verb_hold_number(char **w)
{
	return hold(atoi(w[0]));
}
static long verb_readat(char **w)
{
	return read_from(openat(held, w[0], O_RDONLY));
}
static long verb_reopen(char **w)
{
	return read_from(open(held_path(w[0]), O_RDONLY));
}
static long verb_link_held(char **w)
{
	return linkat(AT_FDCWD, held_path(NULL), AT_FDCWD, w[0], AT_SYMLINK_FOLLOW);
}
static long verb_tmpfile(char **w)
{
	return hold(open(w[0], O_TMPFILE | O_RDWR, 0644));
}

/* openat2(2), with the path looked up as if the held directory were the root. */
static long verb_read_in_root(char **w)
{
	struct {
		__u64 flags, mode, resolve;
	} how = { .flags = O_RDONLY, .resolve = 0x10 /* RESOLVE_IN_ROOT */ };

	return read_from(syscall(SYS_openat2, held, w[0], &how, sizeof(how)));
}

/* Take a descriptor that a process outside the workload hands out. */
static long verb_receive(char **w)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	char byte, control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec part = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};
	struct cmsghdr *head;
	int s = socket(AF_UNIX, SOCK_STREAM, 0), fd;

	strncpy(name.sun_path, w[0], sizeof(name.sun_path) - 1);
	if (connect(s, (struct sockaddr *)&name, sizeof(name)) || recvmsg(s, &message, 0) != 1)
		return -1;
	head = CMSG_FIRSTHDR(&message);
	if (!head || head->cmsg_len < CMSG_LEN(sizeof(int))) {
		errno = EACCES; /* the kernel says only that something was left out */
		return -1;
	}
	memcpy(&fd, CMSG_DATA(head), sizeof(fd));
	return read_from(fd);
}

/* Names. */
static long verb_unlink(char **w)
{
	return unlink(w[0]);
}
static long verb_rmdir(char **w)
{
	return rmdir(w[0]);
}
static long verb_mkdir(char **w)
{
	return mkdir(w[0], 0755);
}
static long verb_mknod(char **w)
{
	return mknod(w[0], S_IFIFO | 0644, 0);
}
static long verb_symlink(char **w)
{
	return symlink(w[0], w[1]);
}
static long verb_link(char **w)
{
	return link(w[0], w[1]);
}
static long verb_rename(char **w)
{
	return rename(w[0], w[1]);
}
static long verb_exchange(char **w)
{
	return renameat2(AT_FDCWD, w[0], AT_FDCWD, w[1], RENAME_EXCHANGE);
}

/* Attributes. */
static long verb_chmod(char **w)
{
	return chmod(w[0], 0700);
}
static long verb_chown(char **w)
{
	return chown(w[0], 1, 1);
}
static long verb_truncate(char **w)
{
	return truncate(w[0], 0);
}
static long verb_truncate_held(char **w)
{
	(void)w;
	return ftruncate(held, 0);
}
static long verb_chmod_held(char **w)
{
	(void)w;
	return fchmod(held, 0700);
}
static long verb_utimes(char **w)
{
	return utimensat(AT_FDCWD, w[0], NULL, 0);
}
static long verb_setxattr(char **w)
{
	return setxattr(w[0], "trusted.act", "x", 1, 0);
}
static long verb_removexattr(char **w)
{
	return removexattr(w[0], "trusted.act");
}

static long verb_setacl(char **w)
{
	/* version 2; owner, uid 1, group, mask, others: tag, permissions, id (include/uapi/linux/posix_acl_xattr.h) */
	struct {
		__u32 version;
		struct {
			__u16 tag, permissions;
			__u32 id;
		} entry[5];
	} acl = { 2, { { 1, 6, -1 }, { 2, 4, 1 }, { 4, 4, -1 }, { 16, 4, -1 }, { 32, 4, -1 } } };

	return setxattr(w[0], "system.posix_acl_access", &acl, sizeof(acl), 0);
}

/* Directories deeper than any path: DEPTH of them, each with a name of LENGTH bytes. */
static long go_down(char **w, int make)
{
	char name[256] = { 0 };
	int depth = atoi(w[0]), length = atoi(w[1]);

	memset(name, 'd', length);
	for (int i = 0; i < depth; i++)
		if ((make && mkdir(name, 0755) && errno != EEXIST) || chdir(name))
			return -1;
	return 0;
}

static long verb_dig(char **w)
{
	return go_down(w, 1);
}
static long verb_descend(char **w)
{
	return go_down(w, 0);
}

const struct verb file_verbs[] = {
	{ "read", verb_read },
	{ "readwrite", verb_read_write },
	{ "write", verb_write },
	{ "append", verb_append },
	{ "create", verb_create },
	{ "cut", verb_cut },
	{ "list", verb_list },
	{ "stat", verb_stat },
	{ "put", verb_put },
	{ "hold", verb_hold },
	{ "opath", verb_opath },
	{ "use", verb_hold_number },
	{ "readat", verb_readat },
	{ "reopen", verb_reopen },
	{ "link-held", verb_link_held },
	{ "tmpfile", verb_tmpfile },
	{ "read-in-root", verb_read_in_root },
	{ "receive", verb_receive },
	{ "unlink", verb_unlink },
	{ "rmdir", verb_rmdir },
	{ "mkdir", verb_mkdir },
	{ "mknod", verb_mknod },
	{ "symlink", verb_symlink },
	{ "link", verb_link },
	{ "rename", verb_rename },
	{ "exchange", verb_exchange },
	{ "chmod", verb_chmod },
	{ "chown", verb_chown },
	{ "truncate", verb_truncate },
	{ "truncate-held", verb_truncate_held },
	{ "chmod-held", verb_chmod_held },
	{ "utimes", verb_utimes },
	{ "setxattr", verb_setxattr },
	{ "removexattr", verb_removexattr },
	{ "setacl", verb_setacl },
	{ "dig", verb_dig },
	{ "descend", verb_descend },
	{ NULL, NULL },
};
