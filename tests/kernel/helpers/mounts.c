/* SPDX-License-Identifier: Apache-2.0 */
/* Where a process is: namespaces, roots, mounts, by the old calls and the new ones. */
#include "act.h"
#include <linux/mount.h>

static const struct {
	const char *name;
	int flag;
} namespaces[] = {
	{ "user", CLONE_NEWUSER },     { "mount", CLONE_NEWNS }, { "pid", CLONE_NEWPID }, { "net", CLONE_NEWNET },
	{ "cgroup", CLONE_NEWCGROUP }, { "ipc", CLONE_NEWIPC },	 { "uts", CLONE_NEWUTS },
};

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY), failed;

	if (fd < 0)
		return -1;
	failed = write(fd, text, strlen(text)) < 0;
	close(fd);
	return failed ? -1 : 0;
}

static long verb_unshare(char **w)
{
	int flags = 0, uid = getuid(), gid = getgid();
	char map[64];

	for (; *w; w++)
		for (size_t i = 0; i < sizeof(namespaces) / sizeof(*namespaces); i++)
			if (!strcmp(*w, namespaces[i].name))
				flags |= namespaces[i].flag;
	if (unshare(flags))
		return -1;
	if (flags & CLONE_NEWUSER) {
		snprintf(map, sizeof(map), "0 %d 1", uid);
		if (write_file("/proc/self/setgroups", "deny") || write_file("/proc/self/uid_map", map))
			return -1;
		snprintf(map, sizeof(map), "0 %d 1", gid);
		if (write_file("/proc/self/gid_map", map))
			return -1;
	}
	return flags & CLONE_NEWNS ? mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) : 0;
}

static long verb_setns(char **w)
{
	return setns(open(w[0], O_RDONLY), 0);
}
static long verb_chdir(char **w)
{
	return chdir(w[0]);
}
static long verb_chroot(char **w)
{
	return chroot(w[0]) || chdir("/") ? -1 : 0;
}
static long verb_pivot(char **w)
{
	return chdir(w[0]) || syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH) ? -1 : 0;
}
static long verb_bind(char **w)
{
	return mount(w[0], w[1], NULL, MS_BIND, NULL);
}
static long verb_rbind(char **w)
{
	return mount(w[0], w[1], NULL, MS_BIND | MS_REC, NULL);
}
static long verb_move(char **w)
{
	return mount(w[0], w[1], NULL, MS_MOVE, NULL);
}
static long verb_tmpfs(char **w)
{
	return mount("tmpfs", w[0], "tmpfs", 0, NULL);
}
static long verb_detach(char **w)
{
	return umount2(w[0], MNT_DETACH);
}

/* overlay LOWER PLACE */
static long verb_overlay(char **w)
{
	char options[512];

	snprintf(options, sizeof(options), "lowerdir=%s:/var/empty-layer", w[0]);
	mkdir("/var/empty-layer", 0755);
	return mount("overlay", w[1], "overlay", MS_RDONLY, options);
}

/* The same by the new calls: the held descriptor is then the root of a mount that is nowhere. */
static long verb_fsmount_overlay(char **w)
{
	char layers[512];
	int fs = syscall(SYS_fsopen, "overlay", 0);

	snprintf(layers, sizeof(layers), "%s:/var/empty-layer", w[0]);
	mkdir("/var/empty-layer", 0755);
	if (fs < 0 || syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "lowerdir", layers, 0) ||
	    syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		return -1;
	return hold(syscall(SYS_fsmount, fs, 0, MOUNT_ATTR_RDONLY));
}

static long verb_open_tree(char **w)
{
	return hold(syscall(SYS_open_tree, AT_FDCWD, w[0], OPEN_TREE_CLONE));
}
static long verb_move_held(char **w)
{
	return syscall(SYS_move_mount, held, "", AT_FDCWD, w[0], MOVE_MOUNT_F_EMPTY_PATH);
}

const struct verb mount_verbs[] = {
	{ "unshare", verb_unshare },	 { "setns", verb_setns },	  { "chdir", verb_chdir },
	{ "chroot", verb_chroot },	 { "pivot", verb_pivot },	  { "bind", verb_bind },
	{ "rbind", verb_rbind },	 { "move", verb_move },		  { "tmpfs", verb_tmpfs },
	{ "detach", verb_detach },	 { "overlay", verb_overlay },	  { "fsmount-overlay", verb_fsmount_overlay },
	{ "open-tree", verb_open_tree }, { "move-held", verb_move_held }, { NULL, NULL },
};
