# SPDX-License-Identifier: Apache-2.0
"""Linux's system calls: their names, their numbers on x86-64, and which of them arm64 does not have.

KubeArmor's definitions end with `rseq`; the ones that Linux added since are accepted here as well. A number
is that of x86-64 on every machine: it stands for the name in rules and records, and for nothing that the
machine at hand counts by.
"""

from __future__ import annotations

from typing import Final

from hauberk.policy.words import did_you_mean

# As in arch/x86/entry/syscalls/syscall_64.tbl.
_FROM_0: Final = """
    read write open close stat fstat lstat poll lseek mmap mprotect munmap brk rt_sigaction rt_sigprocmask
    rt_sigreturn ioctl pread64 pwrite64 readv writev access pipe select sched_yield mremap msync mincore
    madvise shmget shmat shmctl dup dup2 pause nanosleep getitimer alarm setitimer getpid sendfile socket
    connect accept sendto recvfrom sendmsg recvmsg shutdown bind listen getsockname getpeername socketpair
    setsockopt getsockopt clone fork vfork execve exit wait4 kill uname semget semop semctl shmdt msgget
    msgsnd msgrcv msgctl fcntl flock fsync fdatasync truncate ftruncate getdents getcwd chdir fchdir rename
    mkdir rmdir creat link unlink symlink readlink chmod fchmod chown fchown lchown umask gettimeofday
    getrlimit getrusage sysinfo times ptrace getuid syslog getgid setuid setgid geteuid getegid setpgid
    getppid getpgrp setsid setreuid setregid getgroups setgroups setresuid getresuid setresgid getresgid
    getpgid setfsuid setfsgid getsid capget capset rt_sigpending rt_sigtimedwait rt_sigqueueinfo
    rt_sigsuspend sigaltstack utime mknod uselib personality ustat statfs fstatfs sysfs getpriority
    setpriority sched_setparam sched_getparam sched_setscheduler sched_getscheduler sched_get_priority_max
    sched_get_priority_min sched_rr_get_interval mlock munlock mlockall munlockall vhangup modify_ldt
    pivot_root _sysctl prctl arch_prctl adjtimex setrlimit chroot sync acct settimeofday mount umount2
    swapon swapoff reboot sethostname setdomainname iopl ioperm create_module init_module delete_module
    get_kernel_syms query_module quotactl nfsservctl getpmsg putpmsg afs_syscall tuxcall security gettid
    readahead setxattr lsetxattr fsetxattr getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr
    removexattr lremovexattr fremovexattr tkill time futex sched_setaffinity sched_getaffinity
    set_thread_area io_setup io_destroy io_getevents io_submit io_cancel get_thread_area lookup_dcookie
    epoll_create epoll_ctl_old epoll_wait_old remap_file_pages getdents64 set_tid_address restart_syscall
    semtimedop fadvise64 timer_create timer_settime timer_gettime timer_getoverrun timer_delete
    clock_settime clock_gettime clock_getres clock_nanosleep exit_group epoll_wait epoll_ctl tgkill utimes
    vserver mbind set_mempolicy get_mempolicy mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify
    mq_getsetattr kexec_load waitid add_key request_key keyctl ioprio_set ioprio_get inotify_init
    inotify_add_watch inotify_rm_watch migrate_pages openat mkdirat mknodat fchownat futimesat newfstatat
    unlinkat renameat linkat symlinkat readlinkat fchmodat faccessat pselect6 ppoll unshare set_robust_list
    get_robust_list splice tee sync_file_range vmsplice move_pages utimensat epoll_pwait signalfd
    timerfd_create eventfd fallocate timerfd_settime timerfd_gettime accept4 signalfd4 eventfd2
    epoll_create1 dup3 pipe2 inotify_init1 preadv pwritev rt_tgsigqueueinfo perf_event_open recvmmsg
    fanotify_init fanotify_mark prlimit64 name_to_handle_at open_by_handle_at clock_adjtime syncfs sendmmsg
    setns getcpu process_vm_readv process_vm_writev kcmp finit_module sched_setattr sched_getattr renameat2
    seccomp getrandom memfd_create kexec_file_load bpf execveat userfaultfd membarrier mlock2
    copy_file_range preadv2 pwritev2 pkey_mprotect pkey_alloc pkey_free statx io_pgetevents rseq
    """.split()  # noqa: SIM905
_FROM_424: Final = """
    pidfd_send_signal io_uring_setup io_uring_enter io_uring_register open_tree move_mount fsopen fsconfig
    fsmount fspick pidfd_open clone3 close_range openat2 pidfd_getfd faccessat2 process_madvise epoll_pwait2
    mount_setattr quotactl_fd landlock_create_ruleset landlock_add_rule landlock_restrict_self memfd_secret
    process_mrelease futex_waitv set_mempolicy_home_node
    """.split()  # noqa: SIM905

NUMBERS: Final = {
    name: number
    for first, names in ((0, _FROM_0), (424, _FROM_424))
    for number, name in enumerate(names, first)
}
"""The number of each call on x86-64."""
NAMES: Final = frozenset(NUMBERS)
NAME_OF: Final = {number: name for name, number in NUMBERS.items()}

NOT_ON_ARM64: Final = frozenset(
    """
    _sysctl access afs_syscall alarm arch_prctl chmod chown creat create_module dup2 epoll_create
    epoll_ctl_old epoll_wait epoll_wait_old eventfd fork futimesat get_kernel_syms get_thread_area getdents
    getpgrp getpmsg inotify_init ioperm iopl lchown link lstat mkdir mknod modify_ldt open pause pipe poll
    putpmsg query_module readlink rename rmdir security select set_thread_area signalfd stat symlink sysfs
    time tuxcall unlink uselib ustat utime utimes vfork vserver
    """.split()  # noqa: SIM905
)
"""The calls that include/uapi/asm-generic/unistd.h has no number for. Programs use newer ones there:
`unlinkat` for `unlink`."""


def exists_on(name: str, machine: str) -> bool:
    """Whether the 64-bit programs of a machine (`platform.machine()`) have a system call."""
    return machine not in ("aarch64", "arm64") or name not in NOT_ON_ARM64


def hint(name: str) -> str:
    """Return a hint with the nearest system call to `name`, if one is near."""
    return did_you_mean(name, NAMES)
