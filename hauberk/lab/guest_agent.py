# SPDX-License-Identifier: Apache-2.0
"""Process 1 of the guest: runs the command, carries its streams, and reports its status.

It runs inside the virtual machine, from a copy, with nothing but the standard library, and keeps everything
it needs in memory once the command has started: a policy under test may leave it no file to open and nothing
to execute.

The streams are virtio-serial ports. `control` carries lines: to the guest `signal NUMBER`, `size ROWS
COLUMNS`; to the host `ready` and, last of all, `exit STATUS`.
"""

import contextlib
import fcntl
import json
import os
import pty
import signal
import struct
import sys
import termios
import threading
from collections.abc import Callable, Sequence

CHUNK = 65536
CONFIG = "/run/hauberk-lab/config.json"
DRAIN_SECONDS = 20.0


def open_port(name: str, flags: int) -> int:
    """Open the virtio-serial port called `hauberk.NAME`. Without udev its number has to be looked up."""
    base = "/sys/class/virtio-ports"
    for port in os.listdir(base):
        with open(f"{base}/{port}/name") as handle:
            if handle.read().strip() == f"hauberk.{name}":
                return os.open(f"/dev/{port}", flags | os.O_CLOEXEC)
    raise FileNotFoundError(f"no virtio-serial port hauberk.{name}")


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of `data`."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def pump(source: int, sink: int, close_sink: bool) -> None:
    """Copy until the source ends. A terminal whose last user is gone reads as EIO: that is its end."""
    with contextlib.suppress(OSError):
        while data := os.read(source, CHUNK):
            write_all(sink, data)
    if close_sink:
        with contextlib.suppress(OSError):
            os.close(sink)


def status_of(wait_status: int) -> int:
    """A wait status as a shell says it: 128 and the signal's number for a command that a signal ended."""
    code = os.waitstatus_to_exitcode(wait_status)
    return code if code >= 0 else 128 - code


def start(
    argv: Sequence[str], cwd: str, env: dict[str, str], streams: tuple[int, int, int], tty: bool
) -> int:
    """Start the command in a session of its own and return its number. 126 and 127 are as in a shell."""
    child = os.fork()
    if child:
        return child
    try:
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        os.setsid()
        if tty:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        try:
            os.chdir(cwd)
            os.execvpe(argv[0], list(argv), env)
        except OSError as error:
            what = argv[0] if os.path.isdir(cwd) else cwd
            os.write(2, f"hauberk lab: {what}: {error.strerror}\n".encode())
            os._exit(127 if isinstance(error, FileNotFoundError | NotADirectoryError) else 126)
    finally:
        os._exit(126)


def obey(control: int, child: int, terminal: int | None) -> None:
    """Carry out what the host says on the control port, for as long as the machine runs."""
    with os.fdopen(control, "rb", buffering=0, closefd=False) as lines:
        while line := lines.readline():
            verb, *numbers = line.decode().split()
            arguments = [int(number) for number in numbers]
            with contextlib.suppress(OSError):
                if verb == "signal":
                    # A key press is for everybody in the foreground, a kill for the command alone, as on a
                    # terminal.
                    send: Callable[[int, int], None] = (
                        os.kill if arguments[0] == signal.SIGTERM else os.killpg
                    )
                    send(child, arguments[0])
                elif verb == "size" and terminal is not None:
                    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", *arguments, 0, 0))


def wait_for(child: int) -> int:
    """The status of `child`. Orphans are reaped meanwhile: that is the first process's duty."""
    while True:
        pid, status = os.wait()
        if pid == child:
            return status_of(status)


def main() -> None:
    """Run the command that the configuration names. Never returns: process 1 may not end."""
    with open(CONFIG) as handle:
        config = json.load(handle)
    tty: bool = config["tty"]
    control = open_port("control", os.O_RDWR)
    stdin = open_port("stdin", os.O_RDONLY)
    stdout = open_port("stdout", os.O_WRONLY)
    stderr = open_port("stderr", os.O_WRONLY)

    terminal: int | None = None
    pumps: list[tuple[int, int]]
    if tty:
        terminal, inner = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", *config["size"], 0, 0))
        streams, keyboard, pumps = (inner, inner, inner), terminal, [(terminal, stdout)]
    else:
        pipes = [os.pipe() for _ in range(3)]
        streams, keyboard = (pipes[0][0], pipes[1][1], pipes[2][1]), pipes[0][1]
        pumps = [(pipes[1][0], stdout), (pipes[2][0], stderr)]

    write_all(control, b"ready\n")
    child = start(config["argv"], config["cwd"], config["env"], streams, tty)
    for stream in set(streams):
        os.close(stream)
    threads = [
        threading.Thread(target=pump, args=(source, sink, False), daemon=True) for source, sink in pumps
    ]
    threads.append(threading.Thread(target=pump, args=(stdin, keyboard, not tty), daemon=True))
    threads.append(threading.Thread(target=obey, args=(control, child, terminal), daemon=True))
    for thread in threads:
        thread.start()

    status = wait_for(child)
    # The command is over, so what it left behind is too; then the pipes end, and what is in them can be
    # carried out.
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)
    for thread in threads[: len(pumps)]:
        thread.join(DRAIN_SECONDS)
    os.sync()
    write_all(control, f"exit {status}\n".encode())
    while True:
        signal.pause()


if __name__ == "__main__":
    try:
        main()
    except BaseException as error:
        print(f"hauberk-lab: agent: {error!r}", file=sys.stderr, flush=True)
        raise
