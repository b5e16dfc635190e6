/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What crosses the boundary between the kernel programs and user space.
 *
 * Every struct is naturally aligned, so that no `packed` is needed, and user space checks each layout against this
 * object's BTF before it loads anything (hauberk/kernel/layout.py). Numbers of operations, verdicts and sections are
 * those of hauberk/rules/model.py.
 */
#ifndef HAUBERK_ABI_H
#define HAUBERK_ABI_H

enum hb_section {
	HB_PROCESS = 0,
	HB_FILE = 1,
	HB_NETWORK = 2,
	HB_CAPABILITIES = 3,
	HB_SYSCALLS = 4,
};

enum hb_operation {
	HB_EXEC = 0,
	HB_MAP = 1,
	HB_READ = 2,
	HB_WRITE = 3,
};

enum hb_verdict {
	HB_PERMIT = 0, /* no rule speaks of it */
	HB_AUDIT = 1, /* permitted, with an alert */
	HB_REFUSE = 2,
	HB_ALLOWED = 3, /* permitted because an Allow rule, or the base set, applies */
};

/*
 * A verdict word holds the verdict in its two high bits and a rule index below. A cell is an array of them, indexed by
 * (fresh * 2 + (operation & 1)) * 4 + owner * 2 + terminal, or without the last two if they do not matter: the file automaton
 * has cells for reads and writes, the exec automaton for running and mapping.
 */
#define HB_RULE_MASK 0x3fffffffu
#define HB_RULE_POSTURE 0x3ffffff0u /* DefaultPosture */
#define HB_RULE_UNKNOWN 0x3ffffff1u /* UnknownObject */
#define HB_RULE_MOVE 0x3ffffff2u /* would carry a blocked path out from under its rule */
#define HB_RULE_GUARD 0x3ffffff4u /* would harm the engine or the kernel that it relies on */
#define HB_RULE_SYSCALL 0x3ffffff5u /* one that user space finds: see syscalls.bpf.c */
#define HB_RULE_NONE 0x3fffffffu

/* The call that was decided: finer than the operation, for the alert only. */
enum hb_call {
	HB_CALL_EXEC = 1,
	HB_CALL_MMAP,
	HB_CALL_MPROTECT,
	HB_CALL_OPEN,
	HB_CALL_RECEIVE,
	HB_CALL_UNLINK,
	HB_CALL_RMDIR,
	HB_CALL_MKDIR,
	HB_CALL_MKNOD,
	HB_CALL_SYMLINK,
	HB_CALL_LINK,
	HB_CALL_RENAME,
	HB_CALL_CHMOD,
	HB_CALL_CHOWN,
	HB_CALL_TRUNCATE,
	HB_CALL_SETATTR,
	HB_CALL_SETXATTR,
	HB_CALL_REMOVEXATTR,
	HB_CALL_SETACL,
	HB_CALL_SOCKET,
	HB_CALL_BIND,
	HB_CALL_CONNECT,
	HB_CALL_LISTEN,
	HB_CALL_ACCEPT,
	HB_CALL_SENDMSG,
	HB_CALL_CAPABLE,
	HB_CALL_MOUNT,
	HB_CALL_ENDED, /* not an access: the workload's last task has ended */
	HB_CALL_INHERIT, /* an exec that would hand an open file on */
	HB_CALL_HOLD, /* not an access: a file that a task has open already */
	HB_CALL_IOCTL, /* changes a file's flags */
	HB_CALL_UNIX, /* connects to, or sends to, a unix socket with a path */
	HB_CALL_KILL,
	HB_CALL_PTRACE,
	HB_CALL_BPF,
	HB_CALL_UMOUNT,
	HB_CALL_TYPE, /* puts input into a terminal */
	HB_CALL_KERNEL, /* the kernel's own integrity: modules, kexec, its memory */
	HB_CALL_WATCH, /* has the kernel ask it before others may use a file */
	HB_CALL_DNS, /* not an access: a query to a name server */
	HB_CALL_EXIT, /* not an access: the process has ended */
	HB_CALL_SETUID,
	HB_CALL_SETGID,
	HB_CALL_EXECUTED, /* not an access: what came of an exec that was reported; a head alone */
	HB_CALL_SYSCALL = 60, /* a system call that a rule names, whatever it does */
};

/* The strings that follow a record's head, in this order, without terminators. */
enum hb_string {
	HB_STR_OBJECT = 0, /* path of the object, as the rules name it */
	HB_STR_OTHER, /* other end of a rename or a link; file system type of a mount */
	HB_STR_EXE, /* program of the task */
	HB_STR_PARENT, /* program of the task's parent */
	HB_STR_CWD,
	HB_STR_TTY,
	HB_STR_COMM,
	HB_STR_ADDRESS, /* of a socket call: a struct sockaddr */
	HB_STR_TEXT, /* bytes that the call carried: the beginning of a DNS message; a mount's source and type, each with its NUL */
	/* From the nearest up: of each the process id as a __u32, comm (empty: the path's last part) and path, each with its NUL. */
	HB_STR_ANCESTRY,
	/*
	 * Of an exec: the new program's arguments, each ended by a NUL. Of a system call: for each path that it was given, the
	 * directory that it starts from (none: the path could not be read) and the path as given, each ended by a NUL.
	 */
	HB_STR_ARGS,
	HB_STRINGS,
};

#define HB_ATTEMPTED 0x7fffffffu

struct hb_event {
	__u64 time_ns; /* CLOCK_BOOTTIME */
	__u32 workload;
	__u32 generation; /* of the rule table that decided */
	__u32 rule; /* index in that table's rules, or HB_RULE_* */
	__u8 verdict;
	__u8 section;
	__u16 call;
	__u32 tgid; /* host-side process id */
	__u32 tid;
	__u32 parent_tgid;
	__u32 ns_tgid; /* the same, in the task's own pid namespace */
	__u32 ns_parent_tgid;
	__u32 uid; /* of the task, host-side */
	__u32 owner; /* uid of the object's owner; ~0 if there is none */
	__u32 slot; /* of hb_repeats, counted from 1, in which repeats of it are counted; 0: nowhere */
	__u32 login; /* uid that logged in, and its session, as the kernel's audit has them; ~0: none, or no audit */
	__u32 session;
	/*
	 * open, inherit, hold: f_flags, and of the latter two the descriptor; socket: family, type, protocol, HB_ADDRESS_* or the
	 * bytes of the address; capable: number; exec: arguments, and if what comes of it will be reported its number; executed:
	 * this number, and the result (0 or a negative errno);
	 * mmap: prot; kill: signal and host-side process id; ptrace: mode and process id; syscall: number (of x86-64), result
	 * (0, a negative errno, or HB_ATTEMPTED), and two of its arguments
	 */
	__u32 detail[4];
	__u16 flags; /* HB_E_* */
	__u16 length[HB_STRINGS];
};

#define HB_E_CUT 0x1u /* there are ancestors of which nothing is known any more, or more than a record carries */

/* In detail[3] of a socket call whose address was not given by the caller: it is the socket's own, or its peer's. */
#define HB_ADDRESS_OWN 256u
#define HB_ADDRESS_PEER 257u
#define HB_ADDRESS 128u /* bytes of an address that a record carries: sizeof(struct sockaddr_storage) */

/*
 * Repeats of a violation. The first in a window becomes a record; those that follow are counted in its slot, until user
 * space closes the window.
 */
#define HB_REPEATS 4096 /* slots of a window */

struct hb_repeat {
	__u64 key; /* a digest of all in which repeats are alike; 0: the slot is free */
	__u64 told; /* not 0: a record of it found room in the ring */
	__u64 count; /* accesses of which no record tells */
	__u64 first_ns; /* when the first of these was, and the last; CLOCK_BOOTTIME */
	__u64 last_ns;
	__u32 workload; /* from here on as in the record */
	__u32 generation;
	__u32 rule;
	__u8 verdict;
	__u8 section;
	__u16 call;
};

struct hb_repeats {
	__u64 window; /* number of the open one; its slots are those of its parity */
	__u64 inside[2]; /* programs at work in the slots of each parity */
	struct hb_repeat slot[2 * HB_REPEATS];
};

/* What is known of a confined task; keyed by its task_struct. Workload and generation are changed as one 64-bit word. */
struct hb_label {
	__u32 workload;
	__u32 generation; /* of the table by which `program` and `replaced` are numbered; 0: they are not known yet */
	__u32 program; /* class of the program it runs */
	__u32 replaced; /* class of the program that its last exec replaced */
	__u32 next_workload; /* under which an exec under way was decided */
	__u32 next_generation; /* of the table by which `next_program` is numbered; 0: no exec is under way */
	__u32 next_program; /* class of the program that the exec will run */
	__u32 flags;
	__u32 exec; /* of its program, in `lineage` */
	__u32 outcome; /* number of the exec under way that was reported; 0: none */
};

/* What the programs and maps are that this engine was loaded with; user space asks before it adopts them. */
struct hb_stamp {
	__u64 abi; /* digest of all that user space and the programs agree on */
	__u64 image; /* digest of the object that the programs are from */
};

#define HB_L_UNCHECKED 0x1u /* what it has open from before it was confined has not been decided yet */
#define HB_L_HOST 0x2u /* of the host or one of its services: may become a container's, and may harm the engine */

/* The label that a place gives: of a container's cgroup, by its id, or of a unit's, by its directory's name. */
struct hb_place {
	__u32 workload;
	__u32 flags; /* of the label */
};

#define HB_UNIT_NAME 64 /* bytes of a unit's name, the NUL that ends it included */

struct hb_hosting {
	__u32 flags;
	__u32 mount_namespace; /* the host's, by its inode number */
};

#define HB_H_PLACES 0x1u /* places give labels; without it nothing below is looked at */
#define HB_H_HOST 0x2u /* what no place speaks of is the host's: workload HB_HOST */
#define HB_HOST 0u

/* What the labelling iterators are to give, and what came of their last reading. */
struct hb_labelling {
	__u32 workload;
	__u32 given;
	__u32 kept; /* had a label already, or is to have none */
	__u32 failed; /* no room */
};

#define HB_WORKLOADS 8192

/* One per workload, in `heads`; `table` and `generation` are switched by one 64-bit store. */
struct hb_workload {
	__u32 table; /* arena offset of its hb_table, a multiple of 64, and the low six of its flags; 0: no rules */
	__u32 generation;
	__u64 tasks; /* labelled tasks alive */
};

/* These stand in hb_workload.table too: most hooks need to know no more. */
#define HB_T_FILE 0x1u /* some rule or posture speaks of files */
#define HB_T_PROCESS 0x2u
#define HB_T_NETWORK 0x4u
#define HB_T_CAPABILITIES 0x8u
#define HB_T_BLOCKS 0x10u /* some Block speaks of paths */
#define HB_T_SEE 0x20u /* some permitted accesses are reported: which, the next four say */
#define HB_T_HINTS 0x3fu
#define HB_T_SEE_PROCESS 0x100u
#define HB_T_SEE_FILE 0x200u
#define HB_T_SEE_NETWORK 0x400u
#define HB_T_SEE_CAPABILITIES 0x800u
/* What cannot be named is refused; shifted by the operation. */
#define HB_T_UNKNOWN_EXEC 0x1000u
#define HB_T_UNKNOWN_MAP 0x2000u
#define HB_T_UNKNOWN_READ 0x4000u
#define HB_T_UNKNOWN_WRITE 0x8000u
#define HB_T_SEE_DNS 0x20000u
#define HB_T_OWN 0x10000u /* against a posture, a task may read its own /proc entry and terminal */

/* The head of a compiled rule set, in the arena. */
struct hb_table {
	__u32 flags;
	/* s_dev (major << 20 | minor) of the root file system if its own root is what is mounted, and only there; else 0 */
	__u32 root_dev;
	__u32 file_start; /* automaton state at the workload's "/" */
	__u32 exec_start;
	__u32 network; /* arena offset of HB_SOCKET_KINDS accept words */
	__u32 capabilities; /* arena offset of HB_CAPS accept words */
};

/* What rules can tell apart: protocol (other, tcp, udp, icmp, icmpv6, sctp, dccp, packet) * 8 + type (1 to 5, other 0) */
#define HB_SOCKET_KINDS 64
#define HB_CAPS 64

/* Where a superblock was visible when the workload began. ino 0: facts of the superblock as a whole. */
struct hb_mount_key {
	__u32 table;
	__u32 dev;
	__u64 ino;
};

#define HB_M_ROOT 0x1u /* its root is mounted: the states below hold at it */
#define HB_M_SUBTREES 0x2u /* directories of it are mounted: ask for each inode */

struct hb_mount {
	__u32 flags;
	__u32 file_state;
	__u32 exec_state;
	__u32 prefix; /* arena offset of the mount point's text: u32 length, then bytes */
	__u32 next; /* if not 0: mounted there a second time too; the key is this table, dev ~0, ino `next` */
};

/*
 * In `mounts`, the home of a superblock that the workload did not see when it began: `ino` is its device, or 1 << 32 and its
 * magic number. Files on it are weighed by their names there too.
 */
#define HB_HOME_DEV (~1u)
#define HB_HOME_MAGIC (1ull << 32)

/*
 * A file that had several links when the table was made: the automata's states at those of its names that a Block speaks of,
 * numbered from 0.
 */
struct hb_link_key {
	__u32 table;
	__u32 dev;
	__u64 ino;
	__u32 generation;
	__u32 number;
};

struct hb_link {
	__u32 file_state;
	__u32 exec_state;
};

#define HB_LINK_NAMES 16u

/* What `guarded` holds: ids of maps, and of programs. */
#define HB_GUARDED_MAP (1ull << 32)
#define HB_GUARDED_PROGRAM (2ull << 32)

/* An open file, as the kernel's hooks know it, in the order in which an iterator finds them. */
struct hb_file_identity {
	__u32 fd;
	__u32 dev;
	__u64 ino;
	__u32 generation;
	__u32 links;
};

/* Counters, summed over the processors by the reader. */
enum hb_counter {
	HB_LOST_VIOLATIONS = 0, /* no room in the violation ring, or no scratch to write the record in */
	HB_LOST_EVENTS, /* the same of the event ring */
	HB_NO_SCRATCH, /* every walk buffer was in use: the access was refused */
	HB_NO_LABEL, /* no room to label a task: its creation, or its exec, was refused */
	HB_RACED, /* the tree kept moving under the walk: refused as unknown */
	HB_NO_LINEAGE, /* no room to note what an exec came of */
	HB_COUNTERS,
};

#endif
