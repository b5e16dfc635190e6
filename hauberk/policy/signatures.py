# SPDX-License-Identifier: Apache-2.0
"""Which arguments of a system call are paths, and which are worth telling.

Arguments are listed in their order: `path` a path, `at` the descriptor of the directory that the next path
starts from, `fd` a descriptor whose file is what the call is about, `-` nothing of these; any other word is a
number that alerts tell under that name. The words are KubeArmor's where it tells the same. A call that is not
listed has no path and tells nothing but its name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_TEXT: Final = """
read fd
write fd
open path flags
stat path
fstat fd
lstat path
lseek fd
mmap - - prot flags fd
ioctl fd request
pread64 fd
pwrite64 fd
readv fd
writev fd
access path mode
fcntl fd cmd
flock fd operation
fsync fd
fdatasync fd
truncate path
ftruncate fd
getdents fd
chdir path
fchdir fd
rename path path
mkdir path mode
rmdir path
creat path mode
link path path
unlink path
symlink - path
readlink path
chmod path mode
fchmod fd mode
chown path userid group
fchown fd userid group
lchown path userid group
ptrace request pid
setuid userid
setgid groupid
setreuid userid euid
setregid groupid egid
setresuid userid euid
setresgid groupid egid
setfsuid userid
setfsgid groupid
kill pid signal
tkill pid signal
tgkill pid - signal
utime path
mknod path mode
uselib path
personality persona
statfs path
fstatfs fd
prctl option
pivot_root path path
chroot path
acct path
mount - path - mountflag
umount2 path flag
swapon path flags
swapoff path
reboot - - command
quotactl command path
setxattr path
lsetxattr path
fsetxattr fd
getxattr path
lgetxattr path
fgetxattr fd
listxattr path
llistxattr path
flistxattr fd
removexattr path
lremovexattr path
fremovexattr fd
getdents64 fd
readahead fd
fadvise64 fd
utimes path
inotify_add_watch - path
openat at path flags
mkdirat at path mode
mknodat at path mode
fchownat at path userid group
futimesat at path
newfstatat at path
unlinkat at path flags
renameat at path at path
linkat at path at path
symlinkat - at path
readlinkat at path
fchmodat at path mode
faccessat at path mode
unshare flags
utimensat at path
fallocate fd mode
fanotify_mark - flags - at path
name_to_handle_at at path
syncfs fd
setns fd nstype
process_vm_readv pid
process_vm_writev pid
finit_module fd - flags
renameat2 at path at path
seccomp operation flags
memfd_create - flags
kexec_file_load fd
bpf command
execve path
execveat at path
preadv fd
pwritev fd
preadv2 fd
pwritev2 fd
copy_file_range fd
statx at path
socket domain type
socketpair domain type
connect descriptor
accept descriptor
accept4 descriptor
bind descriptor
listen descriptor backlog
clone flags
exit status
exit_group status
pidfd_send_signal - signal
open_tree at path flags
move_mount at path at path
fsopen - flags
fspick at path flags
pidfd_open pid flags
close_range first last
openat2 at path
faccessat2 at path mode
mount_setattr at path
quotactl_fd fd command
setrlimit resource
prlimit64 pid resource
setpriority which who
"""

_LISTED: Final = {line.split()[0]: tuple(line.split()[1:]) for line in _TEXT.strip().splitlines()}
_PLACES: Final = 2
"""Paths and numbers of one call that are looked at, of either kind."""


@dataclass(frozen=True, slots=True)
class PathArgument:
    """One path: the number of its argument, and of the one that says where it starts.

    No `path`: what is meant is the file behind the descriptor `start`. No `start`: the working directory.
    """

    path: int | None
    start: int | None


@dataclass(frozen=True, slots=True)
class Signature:
    """What is known of a call's arguments; `numbers` are the words of those that alerts tell, by argument."""

    paths: tuple[PathArgument, ...] = ()
    numbers: tuple[tuple[str, int], ...] = ()


def signature_of(name: str) -> Signature:
    """The arguments of a system call."""
    paths: list[PathArgument] = []
    numbers: list[tuple[str, int]] = []
    start = None
    for place, word in enumerate(_LISTED.get(name, ())):
        match word:
            case "at":
                start = place
            case "path":
                paths.append(PathArgument(place, start))
                start = None
            case "fd":
                paths.append(PathArgument(None, place))
            case "-":
                pass
            case _:
                numbers.append((word, place))
    return Signature(tuple(paths[:_PLACES]), tuple(numbers[:_PLACES]))


def takes_path(name: str) -> bool:
    """Whether a rule that names a path can speak of the call at all."""
    return bool(signature_of(name).paths)
