# SPDX-License-Identifier: Apache-2.0
"""One run of one virtual machine: start it, carry the streams, return the status, and leave nothing behind.

The machine's life hangs on this process: QEMU is killed by the kernel when the thread that started it ends,
whatever the reason. A status that never comes is a `LostVMError`, however QEMU itself ended.
"""

import os
import select
import selectors
import signal
import socket
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from hauberk.lab.errors import LabError, LostVMError
from hauberk.lab.qemu import PORTS, Machine, arguments, find_qemu

CHUNK = 65536
CONSOLE_TAIL = 8192
BOOT_SILENCE_SECONDS = 120.0
"""A guest that shows no sign of life for this long before the command has started is lost. A boot takes
seconds; an overloaded machine several times that."""

INSISTENT, INSISTENT_SECONDS = 3, 3.0
"""This many signals within this time mean that the machine is to end, whatever the command makes of them."""

FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)

Sink = Callable[[bytes], object]


class Interrupted(LabError):
    """A signal ended the machine and with it the command, if it had started. `number` is the signal's."""

    def __init__(self, number: int) -> None:
        super().__init__(f"ended by {signal.Signals(number).name}")
        self.number = number


class Session:
    """The host's side of a running machine."""

    def __init__(self, process: subprocess.Popen[bytes], ends: Mapping[str, socket.socket]) -> None:
        self._process = process
        self._ends = ends
        self._selector = selectors.PollSelector()
        self._console = bytearray()
        self._control = bytearray()
        self._ready = False
        self._on_ready: Callable[[], object] = lambda: None
        self._status: int | None = None
        self._pending = b""
        self._signals: deque[float] = deque(maxlen=INSISTENT)

    def run(
        self, stdin: int, stdout: Sink, stderr: Sink, on_ready: Callable[[], object], signals: int | None
    ) -> int:
        """Carry the streams until the command has ended, and return its status.

        `signals` is a descriptor on which the numbers of caught signals come.

        Signals are the command's, but those during the boot raise Interrupted, as does the third within
        seconds: the guest may no longer be able to listen. Raises LostVMError.
        """
        sinks: dict[str, Sink] = {
            "stdout": stdout,
            "stderr": stderr,
            "console": self._note,
            "control": self._hear,
        }
        self._on_ready = on_ready
        pidfd = os.pidfd_open(self._process.pid)
        with self._selector, closing_fd(pidfd):
            self._selector.register(pidfd, selectors.EVENT_READ, "end")
            for name in sinks:
                self._selector.register(self._ends[name], selectors.EVENT_READ, name)
            if signals is not None:
                self._selector.register(signals, selectors.EVENT_READ, "signals")
            self._selector.register(stdin, selectors.EVENT_READ, "input")
            sign = time.monotonic()
            while self._status is None:
                left = None if self._ready else sign + BOOT_SILENCE_SECONDS - time.monotonic()
                if left is not None and left <= 0:
                    raise LostVMError(
                        f"the virtual machine showed no sign of life for {BOOT_SILENCE_SECONDS:.0f} s",
                        self.console,
                    )
                for key, _ in self._selector.select(left):
                    if key.data in sinks:
                        sign = time.monotonic()
                        self._receive(key.data, sinks[key.data])
                    elif key.data == "signals":
                        self._forward(os.read(key.fd, 64))
                    elif key.data == "input":
                        self._read_input(key.fd)
                    elif key.data == "output":
                        self._send_input(stdin)
                    elif key.data == "end":
                        self._lost(sinks)
            for name in ("stdout", "stderr"):
                self._drain(name, sinks[name])
        return self._status

    @property
    def console(self) -> str:
        """The tail of what the guest wrote to its serial console."""
        return self._console.decode(errors="replace").replace("\r", "")

    def _note(self, data: bytes) -> None:
        self._console += data
        del self._console[:-CONSOLE_TAIL]

    def _hear(self, data: bytes) -> None:
        self._control += data
        while (end := self._control.find(b"\n")) >= 0:
            words = self._control[:end].decode(errors="replace").split()
            del self._control[: end + 1]
            if words == ["ready"]:
                self._ready = True
                self._on_ready()
            elif len(words) == 2 and words[0] == "exit":
                self._status = int(words[1])

    def _receive(self, name: str, sink: Sink) -> bool:
        """Pass on what has arrived on a channel; False if nothing has, or its other end is gone."""
        try:
            data = self._ends[name].recv(CHUNK)
        except BlockingIOError:
            return False
        except ConnectionResetError:
            data = b""
        if data:
            sink(data)
            return True
        with suppress(KeyError):
            self._selector.unregister(self._ends[name])
        return False

    def _drain(self, name: str, sink: Sink) -> None:
        while self._receive(name, sink):
            pass

    def _lost(self, sinks: Mapping[str, Sink]) -> None:
        """QEMU has ended. What it passed on before that still counts, a status included."""
        for name, sink in sinks.items():
            self._drain(name, sink)
        self._selector.unregister(
            next(k.fileobj for k in self._selector.get_map().values() if k.data == "end")
        )
        if self._status is None:
            stage = "before the command reported its status" if self._ready else "while it was booting"
            assert self._process.stderr is not None
            words = self._process.stderr.read().decode(errors="replace").splitlines()
            # Warnings are about features that the emulated CPU lacks, every time.
            faults = "; ".join(word for word in words if "warning:" not in word)
            raise LostVMError(
                f"the virtual machine ended {stage}" + (f": {faults}" if faults else ""), self.console
            )

    def _forward(self, numbers: bytes) -> None:
        for number in numbers:
            if number == signal.SIGWINCH:
                size = os.get_terminal_size(0)
                self._tell(f"size {size.lines} {size.columns}")
            elif self._ready and not self._insistent():
                self._tell(f"signal {number}")
            else:
                raise Interrupted(number)

    def _insistent(self) -> bool:
        self._signals.append(time.monotonic())
        return len(self._signals) == INSISTENT and self._signals[-1] - self._signals[0] < INSISTENT_SECONDS

    def _tell(self, line: str) -> None:
        # A guest that no longer reads its control port is not worth blocking for.
        with suppress(BlockingIOError, BrokenPipeError):
            self._ends["control"].send(line.encode() + b"\n")

    def _read_input(self, descriptor: int) -> None:
        try:
            data = os.read(descriptor, CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._selector.unregister(descriptor)
        if data:
            self._pending = data
            self._send_input(descriptor)
        else:
            # Only this direction: closing both would make QEMU drop what it has not read yet.
            self._ends["stdin"].shutdown(socket.SHUT_WR)

    def _send_input(self, descriptor: int) -> None:
        end = self._ends["stdin"]
        closed = False
        try:
            self._pending = self._pending[end.send(self._pending) :]
        except BlockingIOError:
            pass
        except BrokenPipeError:
            self._pending = b""
            closed = True
        waiting = end in self._selector.get_map()
        if self._pending and not waiting:
            self._selector.register(end, selectors.EVENT_WRITE, "output")
        elif not self._pending:
            if waiting:
                self._selector.unregister(end)
            if not closed:
                self._selector.register(descriptor, selectors.EVENT_READ, "input")


def boot(
    machine: Callable[[Mapping[str, int], Path], Machine],
    initrd: Sequence[bytes],
    *,
    stdin: int,
    stdout: Sink,
    stderr: Sink,
    on_ready: Callable[[], object],
    tty: bool,
) -> int:
    """Start the machine that `machine` describes, given its channels and initial file system, and run it to
    its end.

    `stdin` is a descriptor to read from. `on_ready` is called when the command is
    about to start. Returns the command's status; raises as `Session.run` does. On return the machine is gone.
    """
    qemu = find_qemu()
    with ExitStack() as stack:
        signals = stack.enter_context(caught_signals(tty))
        # In memory, so that nothing is left behind however this process ends.
        image = stack.enter_context(os.fdopen(os.memfd_create("initrd"), "wb"))
        image.writelines(initrd)
        image.flush()
        ours: dict[str, socket.socket] = {}
        theirs: dict[str, socket.socket] = {}
        for name in (*PORTS, "console"):
            here, there = socket.socketpair()
            ours[name], theirs[name] = stack.enter_context(here), stack.enter_context(there)
            here.setblocking(False)
        command = arguments(
            qemu,
            machine(
                {name: end.fileno() for name, end in theirs.items()}, Path(f"/proc/self/fd/{image.fileno()}")
            ),
        )
        process = stack.enter_context(
            subprocess.Popen(
                # setpriv, part of util-linux, asks for the signal without any Python between fork and exec.
                ["setpriv", "--pdeathsig", "KILL", "--", *command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=[image.fileno(), *(end.fileno() for end in theirs.values())],
                start_new_session=True,
            )
        )
        stack.callback(process.kill)
        for end in theirs.values():
            end.close()
        return Session(process, ours).run(stdin, stdout, stderr, on_ready, signals)


@contextmanager
def caught_signals(tty: bool) -> Iterator[int | None]:
    """Turn the signals to forward into bytes on a descriptor; None outside the main thread: none come."""
    numbers = (*FORWARDED, signal.SIGWINCH) if tty else FORWARDED
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    with closing_fd(reader), closing_fd(writer):
        try:
            previous_fd = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        except ValueError:
            yield None
            return
        previous = {number: signal.signal(number, lambda *_: None) for number in numbers}
        try:
            yield reader
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(previous_fd)


@contextmanager
def closing_fd(descriptor: int) -> Iterator[None]:
    """Close a descriptor at the end."""
    try:
        yield
    finally:
        os.close(descriptor)


def descriptor_sink(descriptor: int) -> Sink:
    """A sink that writes everything to a descriptor, also if somebody has made it non-blocking."""

    def write(data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(descriptor, view) :]
            except BlockingIOError:
                select.select([], [descriptor], [])

    return write
