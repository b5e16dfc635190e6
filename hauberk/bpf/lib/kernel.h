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
#define PROT_EXEC 0x4
#define VM_EXEC 0x4
#define ATTR_MODE 0x1u
#define ATTR_UID 0x2u
#define ATTR_GID 0x4u
#define ATTR_SIZE 0x8u
#define ATTR_ATIME 0x10u
#define ATTR_MTIME 0x20u
#define CAP_OPT_NOAUDIT 0x2u
#define PF_IO_WORKER 0x10u
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

struct super_block {
	__u32 s_dev;
	unsigned long s_flags;
	unsigned long s_magic;
	struct dentry *s_root;
	struct file_system_type *s_type;
	void *s_fs_info;
};

struct inode {
	__u16 i_mode;
	kuid_t i_uid;
	struct super_block *i_sb;
	unsigned long i_ino;
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
};

struct mnt_namespace {
	struct mount *root;
	__u64 seq; /* 0: anonymous, as open_tree(OPEN_TREE_CLONE) makes it */
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
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
};

struct mm_struct {
	struct file *exe_file;
	void *pgd;
};

struct fs_struct {
	struct path pwd;
};

struct task_struct {
	unsigned int flags;
	int pid;
	int tgid;
	unsigned in_execve : 1;
	struct mm_struct *mm;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct pid *thread_pid;
	const struct cred *real_cred;
	const struct cred *cred;
	struct signal_struct *signal;
	struct fs_struct *fs;
	void *io_uring; /* not NULL once the task has used it */
	char comm[16];
};

struct linux_binprm {
	struct mm_struct *mm;
	unsigned long p;
	struct file *file;
	int argc;
};

struct vm_area_struct {
	struct file *vm_file;
	unsigned long vm_flags;
};

struct iattr {
	unsigned int ia_valid;
};

struct sock_common {
	unsigned short skc_family;
	volatile unsigned char skc_state;
};

struct sock {
	struct sock_common __sk_common;
	u16 sk_protocol;
};

struct socket {
	short type;
	struct sock *sk;
};

struct msghdr {
	void *msg_name;
};

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

#pragma clang attribute pop

/* Typeless: their first word is the sequence, odd while a writer is at work (fs/dcache.c, fs/namespace.c). */
extern const void rename_lock __ksym;
extern const void mount_lock __ksym;

#endif
