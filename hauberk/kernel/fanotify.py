# SPDX-License-Identifier: Apache-2.0
"""Permission to execute files: the kernel asks before it lets a process run one of the marked files, and the
process waits for the answer (fanotify).

A mark lies on the file itself, not on its name. When the group is closed, or its last process ends, the
kernel lets all that wait go on.
"""

import errno
import os
import struct
from typing import NamedTuple, NoReturn

from hauberk.kernel._shim import ffi, lib
from hauberk.kernel.errors import KernelError
from hauberk.kernel.owned import Owned

_EVENT = struct.Struct("=IBBHQii")  # struct fanotify_event_metadata: length, version, -, -, mask, fd, pid
_ANSWER = struct.Struct("=iI")  # struct fanotify_response: fd, verdict
_BATCH = 64 * _EVENT.size

# Unlimited: what does not fit into a queue that has a limit goes on unasked, and so does what the kernel
# finds no memory for (fanotify_handle_event, fanotify_alloc_event in fs/notify/fanotify/fanotify.c).
_FLAGS = lib.FAN_CLASS_CONTENT | lib.FAN_CLOEXEC | lib.FAN_NONBLOCK | lib.FAN_UNLIMITED_QUEUE


class Asked(NamedTuple):
    """A process that waits for permission to execute a file."""

    fd: int
    """The file, opened for reading. It also stands for the question: it is closed by `answer`."""
    pid: int
    """As seen from here; 0 if it is not seen from here."""

    @property
    def program(self) -> str:
        """The file's path from this process's root, with " (deleted)" behind it if it has none any more."""
        return os.readlink(f"/proc/self/fd/{self.fd}")


class ExecPermissions(Owned):
    """A group of marked files. `fileno()` becomes readable (poll) when somebody waits. One thread only.

    When it is closed, all go on that wait, and the marks are forgotten.
    """

    def __init__(self) -> None:
        """Raises KernelError: without CAP_SYS_ADMIN, or on a kernel without permission events."""
        self._fd: int = lib.fanotify_init(_FLAGS, os.O_RDONLY | os.O_CLOEXEC | os.O_LARGEFILE)
        if self._fd < 0:
            _fail("fanotify")

    def fileno(self) -> int:
        return self._fd

    def mark(self, path: str | os.PathLike[str]) -> None:
        """Have the file at `path` asked for from now on; once is as good as twice. Raises KernelError: ENOENT
        if there is none."""
        self._change(lib.FAN_MARK_ADD, lib.FAN_OPEN_EXEC_PERM, path)

    def unmark(self, path: str | os.PathLike[str]) -> None:
        """Undo `mark`. Who waits already waits on. Raises KernelError: ENOENT if it is not marked."""
        self._change(lib.FAN_MARK_REMOVE, lib.FAN_OPEN_EXEC_PERM, path)

    def unmark_all(self) -> None:
        """No file is asked for any more. Who waits already waits on. Raises KernelError."""
        self._change(lib.FAN_MARK_FLUSH, 0, "/")

    def _change(self, how: int, mask: int, path: str | os.PathLike[str]) -> None:
        if lib.fanotify_mark(self._fd, how, mask, lib.AT_FDCWD, os.fsencode(path)) < 0:
            _fail(f"marking {path}" if mask else "removing the marks")

    def read(self) -> list[Asked]:
        """Some of those who wait and were not read yet; none if there are none.

        Raises KernelError if a file could not be opened here (EMFILE, say). The kernel has refused one
        process then, and there may be others to be read.
        """
        try:
            data = os.read(self._fd, _BATCH)
        except BlockingIOError:
            return []
        except OSError as error:
            raise KernelError(f"fanotify: {error.strerror}", error.errno or 0) from error
        asked = []
        for length, version, _, _, _, fd, pid in _EVENT.iter_unpack(data):
            if version != lib.FANOTIFY_METADATA_VERSION or length != _EVENT.size:
                raise KernelError(f"fanotify: records of version {version}, {length} bytes, are not known")
            if fd >= 0:
                asked.append(Asked(fd, pid))
        return asked

    def answer(self, asked: Asked, allow: bool) -> None:
        """Let it go on, or have its exec fail with EPERM. It is no matter if it was killed meanwhile."""
        try:
            os.write(self._fd, _ANSWER.pack(asked.fd, lib.FAN_ALLOW if allow else lib.FAN_DENY))
        except FileNotFoundError:
            pass
        finally:
            os.close(asked.fd)


def _fail(doing: str) -> NoReturn:
    code = ffi.errno
    remedies = {
        errno.EPERM: "this takes CAP_SYS_ADMIN: run as root",
        errno.EINVAL: "the kernel is built without CONFIG_FANOTIFY_ACCESS_PERMISSIONS",
        errno.ENOSYS: "the kernel is built without CONFIG_FANOTIFY",
    }
    raise KernelError(f"{doing}: {os.strerror(code)}", code, remedies.get(code, ""))
