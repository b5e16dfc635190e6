/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The few kernel types that the programs read.
 *
 * Only the fields used are declared; CO-RE finds their places in the running kernel. This is also the one place for what
 * differs between kernels: a field or argument that moved is declared here in each of its forms.
 */
#ifndef HAUBERK_KERNEL_H
#define HAUBERK_KERNEL_H

#include <linux/types.h>
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef _Bool bool;
#define true 1
#define false 0
#define NULL ((void *)0)

#define EACCES 13
#define EAGAIN 11

/* include/linux/fs.h; internal numbers, the same in 6.1 and 6.12 */
#define FMODE_READ 0x1u
#define FMODE_WRITE 0x2u
#define FMODE_EXEC 0x20u /* in f_flags: opened to be executed; open(2) masks it from user space */
#define FMODE_PATH 0x4000u
#define FMODE_NOACCOUNT 0x20000000u /* opened by the kernel itself, as overlayfs does */
#define O_TRUNC 01000u
#define SB_NOUSER (1ul << 31) /* pipes, sockets, anonymous inodes, memfd */
#define PROC_SUPER_MAGIC 0x9fa0
#define DEVPTS_SUPER_MAGIC 0x1cd1
#define RENAME_EXCHANGE 2
#define S_IFMT 0170000
#define S_IFDIR 0040000
#define S_IFCHR 0020000
#define PROT_EXEC 0x4
#define VM_EXEC 0x4
#define OVERLAYFS_SUPER_MAGIC 0x794c7630
#define CGROUP_SUPER_MAGIC 0x27e0eb /* of version 1 */
#define CGROUP2_SUPER_MAGIC 0x63677270
#define BPF_FS_MAGIC 0xcafe4a11
#define MNT_SHARED 0x1000 /* in mnt_flags */
#define PTRACE_MODE_ATTACH 0x2u
#define PTRACE_MODE_NOAUDIT 0x4u
#define MSG_FASTOPEN 0x20000000u
#define FS_IOC_SETFLAGS 0x40086602u
#define FS_IOC32_SETFLAGS 0x40046602u
#define FS_IOC_FSSETXATTR 0x401c5820u
#define FS_IOC_ENABLE_VERITY 0x40806685u
#define TIOCSTI 0x5412u
#define TIOCLINUX 0x541cu
#define ATTR_MODE 0x1u
#define ATTR_UID 0x2u
#define ATTR_GID 0x4u
#define ATTR_SIZE 0x8u
#define ATTR_ATIME 0x10u
#define ATTR_MTIME 0x20u
#define CAP_OPT_NOAUDIT 0x2u
#define PF_EXITING 0x4u
#define SIGNAL_GROUP_EXIT 0x4u
#define PF_IO_WORKER 0x10u
#define PF_KTHREAD 0x200000u
#define TCP_ESTABLISHED 1
#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define AF_NETLINK 16
#define AF_PACKET 17
#define AF_SMC 43
#define AF_XDP 44
#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#define SOCK_RAW 3
#define SOCK_SEQPACKET 5
#define SOCK_DCCP 6

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	__u32 val;
} kuid_t;

struct seqcount {
	unsigned int sequence;
};

struct qstr {
	union {
		struct {
			__u32 hash;
			__u32 len;
		};
		__u64 hash_len;
	};
	const unsigned char *name;
};

struct file_system_type {
	const char *name;
};

struct list_head {
	struct list_head *next;
};

struct user_namespace {
	int level; /* 0: the initial one */
};

struct super_block {
	__u32 s_dev;
	unsigned long s_flags;
	unsigned long s_magic;
	struct dentry *s_root;
	struct list_head s_mounts;
	struct file_system_type *s_type;
	void *s_fs_info;
	struct user_namespace *s_user_ns;
};

struct inode {
	__u16 i_mode;
	kuid_t i_uid;
	struct super_block *i_sb;
	unsigned long i_ino;
	__u32 i_rdev;
	unsigned int i_nlink;
	__u32 i_generation;
	void *i_private;
};

struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
	unsigned char d_iname[32];
	struct super_block *d_sb;
};

/* 6.14 renamed d_iname (commit 58cf9c383c5c, "dcache: back inline names with a struct-wrapped array of unsigned long"). */
union shortname_store___new {
	unsigned char string[40];
};
struct dentry___new {
	union shortname_store___new d_shortname;
};

struct vfsmount {
	struct dentry *mnt_root;
	struct super_block *mnt_sb;
	int mnt_flags;
};

struct ns_common {
	unsigned int inum;
};

struct mnt_namespace {
	struct ns_common ns;
	struct mount *root;
	__u64 seq; /* 0: anonymous, as open_tree(OPEN_TREE_CLONE) makes it */
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
	struct list_head mnt_instance; /* in super_block.s_mounts */
	struct mnt_namespace *mnt_ns;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct file {
	struct path f_path;
	struct inode *f_inode;
	unsigned int f_mode;
	unsigned int f_flags;
};

struct cred {
	kuid_t uid;
	kuid_t gid;
	kuid_t euid;
	kuid_t egid;
	kuid_t fsuid;
};

struct tty_struct {
	int index;
	char name[64];
};

struct pid_namespace;

struct upid {
	int nr;
	struct pid_namespace *ns;
};

struct pid {
	unsigned int level;
	struct upid numbers[1];
};

struct pid_namespace {
	unsigned int level;
};

struct proc_fs_info {
	struct pid_namespace *pid_ns;
};

struct signal_struct {
	struct tty_struct *tty;
	int group_exit_code;
	unsigned int flags;
};

struct mm_struct {
	struct file *exe_file;
	void *pgd;
};

struct fs_struct {
	struct path pwd;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
	unsigned long *close_on_exec;
};

struct files_struct {
	struct fdtable *fdt;
};

typedef struct {
	unsigned long sig[1];
} sigset_t;

struct nsproxy {
	struct mnt_namespace *mnt_ns;
};

struct kernfs_iattrs {
	kuid_t ia_uid;
};

struct kernfs_node {
	struct kernfs_node *parent;
	const char *name;
	__u64 id;
	void *priv; /* of a directory in a cgroup file system: struct cgroup */
	struct kernfs_iattrs *iattr; /* NULL: as it was made by the kernel, root's */
};

/* 6.15 renamed parent (commit 633488947ef6, "kernfs: Use RCU to access kernfs_node::parent."). */
struct kernfs_node___new {
	struct kernfs_node *__parent;
};

struct cgroup_subsys_state {
	struct cgroup_subsys_state *parent;
};

struct cgroup {
	struct cgroup_subsys_state self;
	int level; /* 0: the root */
	struct kernfs_node *kn;
	struct cgroup *ancestors[]; /* by level, itself included */
};

struct css_set {
	struct cgroup *dfl_cgrp; /* in the default hierarchy, that of version 2 */
};

struct task_struct {
	unsigned int flags;
	int pid;
	int tgid;
	unsigned in_execve : 1;
	int exit_code;
	struct mm_struct *mm;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct pid *thread_pid;
	const struct cred *real_cred;
	const struct cred *cred;
	struct signal_struct *signal;
	struct fs_struct *fs;
	struct files_struct *files;
	struct nsproxy *nsproxy;
	struct css_set *cgroups;
	sigset_t blocked;
	void *io_uring; /* not NULL once the task has used it */
	kuid_t loginuid; /* these two with CONFIG_AUDIT only */
	unsigned int sessionid;
	char comm[16];
};

struct linux_binprm {
	struct mm_struct *mm;
	unsigned long p;
	struct file *file;
	const char *filename;
	int argc;
};

struct vm_area_struct {
	struct file *vm_file;
	unsigned long vm_flags;
};

struct iattr {
	unsigned int ia_valid;
};

struct in6_addr {
	u8 bytes[16];
};

struct sock_common {
	unsigned short skc_family;
	volatile unsigned char skc_state;
	u32 skc_daddr;
	u32 skc_rcv_saddr;
	u16 skc_dport; /* in network order */
	u16 skc_num; /* in the machine's */
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
};

struct sock {
	struct sock_common __sk_common;
	u16 sk_protocol;
};

struct socket {
	short type;
	struct sock *sk;
};

struct sockaddr_un {
	unsigned short sun_family;
};

struct unix_address {
	int len;
	struct sockaddr_un name[];
};

struct unix_sock {
	struct path path;
	struct unix_address *addr;
};

struct iovec {
	void *iov_base;
	unsigned long iov_len;
};

struct iov_iter {
	u8 iter_type;
	unsigned long iov_offset;
	unsigned long count;
	void *ubuf;
	const struct iovec *__iov;
	unsigned long nr_segs;
};

/* 6.4 renamed iov (commit de4f5fed3f23, "iov_iter: add iter_iovec() helper"). */
struct iov_iter___old {
	const struct iovec *iov;
};

struct msghdr {
	void *msg_name;
	int msg_namelen;
	struct iov_iter msg_iter;
	unsigned int msg_flags;
};

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};

struct bpf_map {
	__u32 id;
};

struct bpf_prog_aux {
	__u32 id;
};

struct bpf_prog {
	struct bpf_prog_aux *aux;
};

/* Of the overlay module, if it is loaded when the programs are. */
struct ovl_layer {
	struct vfsmount *mnt;
};

struct ovl_fs {
	unsigned int numlayer;
	struct ovl_layer *layers;
};

#pragma clang attribute pop

/*
 * Where the kernel keeps some of its variables, set by user space (hauberk/kernel/symbols.py): for `extern ... __ksym`
 * libbpf would read through all of /proc/kallsyms. The first word of the locks is their sequence, odd while a writer is
 * at work (fs/dcache.c, fs/namespace.c).
 */
const volatile u64 rename_lock = 0;
const volatile u64 mount_lock = 0;
const volatile u64 page_offset_base = 0;
const volatile u64 pgdir_shift = 0;

/*
 * A typed pointer to anything (since 6.2, commit a35b9af4ec2c, "bpf: Add a kfunc for generic type cast"). User space sets
 * `can_cast` where the kernel has it.
 */
extern void *bpf_rdonly_cast(const void *, u32)
__ksym __weak;
const volatile u32 can_cast = 0;

/* Whether there is bprm_execve(), for exec_ended(); set by user space too. */
const volatile u32 tells_outcomes = 0;

/* Their numbers differ between kernels. */
enum lockdown_reason {
	LOCKDOWN_NONE = 0,
	LOCKDOWN_INTEGRITY_MAX = 1,
	LOCKDOWN_KCORE = 2,
};

enum kernel_read_file_id {
	READING_MODULE = 1,
	READING_KEXEC_IMAGE = 2,
	READING_KEXEC_INITRAMFS = 3,
};

enum iter_type {
	ITER_IOVEC = 1,
	ITER_UBUF = 2,
};

enum kernel_load_data_id {
	LOADING_MODULE = 1,
	LOADING_KEXEC_IMAGE = 2,
	LOADING_KEXEC_INITRAMFS = 3,
};

#endif
