# SPDX-License-Identifier: Apache-2.0
"""Which programs a table needs: what no rule speaks of shall cost nothing, neither at load nor at run
time."""

from typing import Final

from hauberk.enforcers.bpf_lsm.abi import TableFlag

_NETWORK: Final = frozenset(
    {"socket_create", "socket_bind", "socket_connect", "socket_listen", "socket_accept"}
)
_SENDING: Final = frozenset({"socket_sendmsg"})
_ACCEPTED: Final = frozenset({"socket_graft"})
_ENDING: Final = frozenset({"process_exit", "exec_ended"})
_ACTIVITY: Final = frozenset({"task_fix_setuid", "task_fix_setgid", "sb_mount", "move_mount", "bpf_call"})
_CAPABILITIES: Final = frozenset({"capable"})
_MAPPING: Final = frozenset({"mmap_file", "file_mprotect"})
_OPENING: Final = frozenset({"file_open", "file_receive"})
_CHANGING: Final = frozenset(
    {
        "path_unlink", "path_rmdir", "path_mkdir", "path_mknod", "path_symlink", "path_chmod", "path_chown",
        "path_truncate", "file_truncate",
        "inode_setattr", "inode_setxattr", "inode_removexattr", "inode_set_acl",
        "unix_stream_connect", "unix_may_send",
    }
)  # fmt: skip
_MOVING: Final = frozenset({"path_link", "path_rename"})

OPTIONAL: Final = frozenset({"file_truncate", "inode_set_acl", "file_ioctl_compat"})
"""Programs whose hook not every kernel has; what then comes to another hook instead is said at the
program."""

EXECUTING: Final = "bprm_execve"
TRACED: Final = {"process_exit": "taskstats_exit", "exec_ended": EXECUTING}
"""Programs on a function of the kernel that is no hook, and that not every kernel has (the first with
CONFIG_TASKSTATS, the second since 5.10 unless the compiler has taken it apart): what they report is not
reported there."""


def needless(flags: TableFlag) -> frozenset[str]:
    """The programs that a table with these flags does not need. Labels, execution and what protects the
    engine itself always count."""
    found: frozenset[str] = frozenset()
    if not flags & (TableFlag.NETWORK | TableFlag.SEE_NETWORK):
        found |= _NETWORK
        if not flags & TableFlag.SEE_DNS:
            found |= _SENDING
    if not flags & TableFlag.SEE_NETWORK:
        found |= _ACCEPTED
    if not flags & (TableFlag.CAPABILITIES | TableFlag.SEE_CAPABILITIES):
        found |= _CAPABILITIES
    if not flags & TableFlag.SEE_PROCESS:
        found |= _ENDING
    if not flags & TableFlag.SEE_CAPABILITIES:
        found |= _ACTIVITY
    if not flags & (TableFlag.FILE | TableFlag.SEE_FILE):
        found |= _OPENING | _CHANGING
        if not flags & TableFlag.BLOCKS:
            found |= _MOVING
    if not flags & (TableFlag.FILE | TableFlag.PROCESS | TableFlag.SEE_PROCESS):
        found |= _MAPPING
    return found


def needed(flags: TableFlag) -> frozenset[str]:
    """The programs that a table with these flags needs."""
    everything = _NETWORK | _SENDING | _ACCEPTED | _CAPABILITIES | _ENDING | _ACTIVITY
    everything |= _MAPPING | _OPENING | _CHANGING | _MOVING
    return everything - needless(flags)
