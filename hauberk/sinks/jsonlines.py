# SPDX-License-Identifier: Apache-2.0
"""One JSON object a line, appended to a file or written to standard output.

A batch is one write(2) of whole lines at the end of the file, so several writers can share it. (On a pipe the
kernel promises that only up to PIPE_BUF bytes, so there a batch is several writes.) What cannot be written is
kept in bounded memory and tried again; what does not fit there is dropped, newest first, counted, and told
once in loud words. When writing works again, a line of type `SystemEvent` marks the gap.

A disk that fills up in the middle of a line leaves a torn one. It is completed if nothing was appended
since, else written again in full. Somebody else's torn line is ended first; if that somebody was only slow,
an empty line is what remains of it. A file that was removed or renamed (log rotation) is made anew under its
name. The sink can rotate a file itself, between two lines.
"""

import errno
import os
import re
import select
import stat
import sys
import time
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from hauberk.events.alert import Alert, Extras, Log
from hauberk.events.clock import unix_time
from hauberk.events.text import escape
from hauberk.sinks.errors import SinkError
from hauberk.sinks.rotation import rotate

STDOUT: Final = "-"
MEMORY_BYTES: Final = 4 << 20
"""How much is kept while writing fails. More than any single line."""
PATIENCE_SECONDS: Final = 5.0
"""How long `close` waits for a slow reader that takes nothing."""

_PATH_FLAGS: Final = (
    os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
)
_COUNT: Final = re.compile(rb'"Count":(\d+)')
_STDOUT_FLAGS: Final = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def _to_stderr(message: str) -> None:
    try:
        sys.stderr.write(f"hauberk: {message}\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        pass  # there is nobody left to tell


def _accesses(lines: bytes) -> int:
    """How many accesses lines tell of. In a string a quote has a backslash, so that only a key matches."""
    return lines.count(b"\n") + sum(int(count) - 1 for count in _COUNT.findall(lines))


class JsonLines:
    """A sink for a path, or for standard output if `target` is `-`.

    A file is made with mode 0600; one that is there keeps its mode. Before a file would have more than
    `most` bytes it is rotated, and `files` of the old ones are kept; 0: never. `warn` gets the sentences for
    the user; `memory` is in bytes. Raises `SinkError` if the target cannot be opened or is not a regular file
    or a device.
    """

    def __init__(
        self,
        target: str,
        *,
        memory: int = MEMORY_BYTES,
        most: int = 0,
        files: int = 1,
        warn: Callable[[str], None] = _to_stderr,
    ) -> None:
        self.lost = 0
        self._path = "" if target == STDOUT else os.path.abspath(target)
        self._name = "standard output" if target == STDOUT else escape(os.fsencode(target))
        self._memory = memory
        self._most = most
        self._files = files
        self._warn = warn
        self._encoder = msgspec.json.Encoder()
        self._pending = b""  # whole lines; of the first one, `_torn` bytes are already out
        self._torn = 0
        self._torn_end = 0  # file offset behind the torn line
        self._gap = 0  # accesses in lines dropped since the last one that was kept
        self._marked = 0  # 1: the first pending line marks a gap and is no event
        self._trouble: OSError | SinkError | None = None
        self._gone = False  # the reader has closed its end: nothing will ever get through
        self._fd = self._open_path() if self._path else self._open_stdout()
        self._use(self._fd)

    def write(self, events: Sequence[Alert | Log]) -> None:
        """Append these. Does not wait: what does not get through is kept."""
        drained = self._drain()
        if self._gone:
            self.lost += sum(event.Hauberk.Count for event in events)
            return
        lines = self._encoder.encode_lines(events)
        if drained:
            self._pending = lines
            self._drain()
        else:
            self._pending += lines
        self._trim()

    def flush(self) -> None:
        """Try again to write what was kept."""
        if self._pending:
            self._drain()

    def close(self) -> None:
        """Write what was kept, waiting a while for a slow reader; what remains is counted as lost."""
        if self._fd < 0:
            return
        deadline = time.monotonic() + PATIENCE_SECONDS
        left = len(self._pending)
        while not self._drain() and isinstance(self._trouble, BlockingIOError):
            now = time.monotonic()
            if len(self._pending) < left:
                left = len(self._pending)
                deadline = now + PATIENCE_SECONDS
            if now >= deadline:
                break
            poll = select.poll()
            poll.register(self._fd, select.POLLOUT)
            poll.poll((deadline - now) * 1000)
        if self._pending:
            count = self._drop_pending()
            self._warn(f"EVENTS ARE LOST: {count} could not be written to {self._name}: {self._why()}")
        fd, self._fd = self._fd, -1
        try:
            os.close(fd)
        except OSError as error:
            self._warn(f"closing {self._name}: {error.strerror}")

    # --- opening ---

    def _open_path(self) -> int:
        try:
            fd = os.open(self._path, _PATH_FLAGS, 0o600)
        except OSError as error:
            remedy = ""
            if error.errno == errno.ELOOP:
                remedy = (
                    "It is a symbolic link, which is not followed; name the file itself, or - for a pipe."
                )
            raise SinkError(f"cannot open {self._name}: {error.strerror}", remedy) from error
        mode = os.fstat(fd).st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISCHR(mode):
            os.close(fd)
            raise SinkError(f"{self._name} is neither a file nor a device", "Use - and a pipe.")
        return fd

    def _open_stdout(self) -> int:
        try:
            mode = os.fstat(1).st_mode
        except OSError as error:
            raise SinkError(f"cannot write to {self._name}: {error.strerror}") from error
        if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
            # An open file of our own: O_NONBLOCK on the one we were given would reach everyone who shares it.
            try:
                return os.open("/proc/self/fd/1", _STDOUT_FLAGS)
            except OSError:
                pass  # not ours to open again (another user's), or the reader has gone: write() will say
        return os.dup(1)

    def _use(self, fd: int) -> None:
        status = os.fstat(fd)
        self._fd = fd
        self._identity = (status.st_dev, status.st_ino)
        self._is_file = stat.S_ISREG(status.st_mode)
        self._is_pipe = stat.S_ISFIFO(status.st_mode)
        self._torn = 0
        self._suspect = True  # the file may end in a torn line, somebody else's or from an earlier life

    def _follow_name(self) -> None:
        """Open the file again if its name is gone or means another file. Raises `OSError` or `SinkError`."""
        try:
            status = os.stat(self._path, follow_symlinks=False)
        except FileNotFoundError:
            pass
        else:
            if (status.st_dev, status.st_ino) == self._identity:
                return
        fd = self._open_path()
        os.close(self._fd)
        self._use(fd)

    # --- writing ---

    def _drain(self) -> bool:
        """Write what is pending. True if nothing is left."""
        try:
            if self._path and self._pending:
                self._follow_name()
            while self._pending or self._gap:
                if not self._pending:
                    self._mark_gap()
                lead, begin = self._mend()
                end = self._piece_end(begin)
                if self._most and self._path and self._is_file:
                    end = min(end, self._end_in_file(begin, len(lead)))
                    if not end:
                        self._rotate()
                        continue
                written = os.write(self._fd, lead + self._pending[begin:end])
                self._suspect = False
                self._advance(begin + written - len(lead))
        except BrokenPipeError:
            self._gone = True
            self._drop_pending()
            self._gap = 0
            self._warn(f"EVENTS ARE LOST: nobody reads {self._name} any more")
            return True
        except (OSError, SinkError) as error:
            self._failed(error)
            return False
        if self._trouble is not None and not isinstance(self._trouble, BlockingIOError):
            self._warn(f"events are written to {self._name} again")
        self._trouble = None
        return True

    def _mend(self) -> tuple[bytes, int]:
        """What to write before the pending lines, and how much of them to leave out: it is there already."""
        if not self._is_file:
            return b"", self._torn
        if self._torn and os.fstat(self._fd).st_size == self._torn_end:
            return b"", self._torn
        torn, self._torn = self._torn, 0
        if not torn and not self._suspect:
            return b"", 0
        self._suspect = True
        return (b"" if self._ends_whole(unless=torn > 0) else b"\n"), 0

    def _ends_whole(self, *, unless: bool) -> bool:
        """Whether the file is empty or ends with a line feed. If it cannot be read (standard output), not
        `unless`."""
        before = -1
        while True:
            size = os.fstat(self._fd).st_size
            try:
                if size == 0 or os.pread(self._fd, 1, size - 1) == b"\n":
                    return True
            except OSError:
                return not unless
            if size == before:
                return False
            # Another writer may be in the middle of its write, which shows page by page.
            before = size
            time.sleep(0.01)

    def _piece_end(self, begin: int) -> int:
        """How far one write goes: everything, but on a pipe the whole lines that fit in PIPE_BUF."""
        if not self._is_pipe or len(self._pending) - begin <= select.PIPE_BUF:
            return len(self._pending)
        end = self._pending.rfind(b"\n", begin, begin + select.PIPE_BUF) + 1
        return end or self._pending.find(b"\n", begin) + 1

    def _end_in_file(self, begin: int, lead: int) -> int:
        """How far one write goes if the file is not to grow too large; 0: it has to be rotated first."""
        first = self._pending.find(b"\n", begin) + 1
        if begin:
            return first  # a line that has begun in this file ends in it
        size = os.fstat(self._fd).st_size
        room = max(0, self._most - size - lead)
        return self._pending.rfind(b"\n", 0, room) + 1 or (0 if size else first)

    def _rotate(self) -> None:
        try:
            # Another writer of the same file may just have done it.
            status = os.stat(self._path, follow_symlinks=False)
            if (status.st_dev, status.st_ino) == self._identity:
                rotate(self._path, self._files)
        except FileNotFoundError:
            pass
        except OSError as error:
            # Too large is better than lost.
            self._most = 0
            self._warn(f"{self._name} cannot be rotated, and grows: {error.strerror}")
        self._follow_name()

    def _advance(self, done: int) -> None:
        """Take what is written off the pending lines."""
        whole = self._pending.rfind(b"\n", 0, done) + 1
        self._torn = done - whole
        if self._torn and self._is_file:
            self._torn_end = os.lseek(self._fd, 0, os.SEEK_CUR)
        self._pending = self._pending[whole:]
        if whole:
            self._marked = 0

    # --- trouble ---

    def _failed(self, error: OSError | SinkError) -> None:
        known = self._trouble
        self._trouble = error
        self._suspect = self._is_file
        if known is None and not isinstance(error, BlockingIOError):
            self._warn(
                f"events cannot be written to {self._name}: {self._why()};"
                f" up to {self._memory >> 10} KiB are kept and written when that is possible again"
            )

    def _trim(self) -> None:
        """Drop what exceeds the memory, but never a line that is half written or marks a gap."""
        if len(self._pending) <= self._memory:
            return
        keep = self._pending.rfind(b"\n", 0, self._memory) + 1
        if not keep and (self._torn or self._marked):
            keep = self._pending.find(b"\n") + 1
        dropped = _accesses(self._pending[keep:])
        self._pending = self._pending[:keep]
        self.lost += dropped
        if not self._gap:
            self._warn(f"EVENTS ARE LOST: {self._name} takes none ({self._why()}) and no more can be kept")
        self._gap += dropped

    def _drop_pending(self) -> int:
        """Give up on what is pending; returns how many accesses that told of."""
        count = _accesses(self._pending) - self._marked
        self._pending = b""
        self._marked = 0
        self.lost += count
        return count

    def _mark_gap(self) -> None:
        """Make a line pending that says how many accesses are missing at this place."""
        event = Alert(PPID=0, UID=0, Hauberk=Extras(), Type="SystemEvent")
        event.Timestamp, event.UpdatedTime = unix_time(time.time_ns())
        event.Message = f"{self._gap} accesses are missing here: {self._why()}"
        self._pending = self._encoder.encode_lines([event])
        self._marked = 1
        self._gap = 0

    def _why(self) -> str:
        if isinstance(self._trouble, BlockingIOError):
            return "its reader does not keep up"
        if isinstance(self._trouble, SinkError):
            return self._trouble.message
        return os.strerror(self._trouble.errno or 0) if self._trouble is not None else "it takes no more"
