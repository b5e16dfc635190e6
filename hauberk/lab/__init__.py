# SPDX-License-Identifier: Apache-2.0
"""The lab: run a command as root in a throwaway virtual machine with a kernel that has BPF LSM.

The machine sees this one's file system; what it writes is thrown away. Nothing is installed here and nothing
here changes, so a policy can be tried on a laptop and the tests can stand on several kernels.

`run` passes the streams through; `capture` returns them.
"""

import json
import os
import shlex
import sys
import tempfile
import tty
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hauberk.lab.accel import choose_accel
from hauberk.lab.cache import cache_root, locked
from hauberk.lab.errors import (
    KernelNotFoundError,
    LabError,
    LostVMError,
    MissingToolError,
    ModuleNotFoundInKernelError,
)
from hauberk.lab.initramfs import cached_base, guest_file, run_archive
from hauberk.lab.kernels import DEFAULT_SERIES, SERIES, Kernel, Progress, fetch_busybox, find_kernel
from hauberk.lab.qemu import Machine, check_memory, find_qemu
from hauberk.lab.terminal import restored
from hauberk.lab.vm import Interrupted, Sink, boot, descriptor_sink

__all__ = [
    "DEFAULT_SERIES",
    "SERIES",
    "Completed",
    "Interrupted",
    "Kernel",
    "KernelNotFoundError",
    "LabError",
    "LostVMError",
    "MissingToolError",
    "ModuleNotFoundInKernelError",
    "Options",
    "capture",
    "run",
]

PASSED_NAMES = ("HOME", "PATH", "TERM", "CI", "LANG", "VIRTUAL_ENV", "MESONPY_EDITABLE_SKIP")
PASSED_PREFIXES = ("HAUBERK_", "PYTHON", "LC_")


@dataclass(frozen=True, slots=True)
class Options:
    """How the machine is made.

    `kernel` is a series (`6.1`, `6.12`) or the path of an image; `icount` makes guest time count
    instructions, one nanosecond each; `memory` is a size such as `2G`; `append` is added to the kernel's
    command line; the directories of `writable` are this machine's own, so what is written there stays.
    """

    kernel: str = DEFAULT_SERIES
    icount: bool = False
    memory: str = "2G"
    append: str = ""
    writable: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Completed:
    """A command that has run: its status (128 + N for one ended by signal N) and what it wrote."""

    status: int
    stdout: bytes
    stderr: bytes


def nothing(*_: object) -> None:
    """Do nothing: for progress that nobody wants to see."""


def passed_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The part of this process's environment that the command gets to see."""
    return {k: v for k, v in environment.items() if k in PASSED_NAMES or k.startswith(PASSED_PREFIXES)}


def writable_directories(directories: Sequence[Path]) -> dict[str, Path]:
    """A share's tag for each directory. Raises LabError for one that is not there, and for the root."""
    shares: dict[str, Path] = {}
    for number, directory in enumerate(directories):
        if not directory.is_dir():
            raise LabError(f"{directory}: no such directory to be writable")
        if directory.resolve() == Path("/"):
            raise LabError("/ cannot be writable: the command's writes are to be thrown away")
        shares[f"writable{number}"] = directory.resolve()
    return shares


def settings(cwd: Path, shares: Mapping[str, Path]) -> str:
    """The part of the configuration that the init script reads, as shell text."""
    keep_tmp = "1" if cwd.is_relative_to("/tmp") else ""
    lines = [f"PROBE= KEEP_TMP={keep_tmp} PYTHON={shlex.quote(os.path.realpath(sys.executable))}"]
    mounts = [f"share {tag} {shlex.quote(f'/root{path}')} cache=mmap" for tag, path in shares.items()]
    return "\n".join([*lines, "mount_writable() {", ":", *mounts, "}", ""])


def start(
    argv: Sequence[str],
    options: Options,
    *,
    stdin: int,
    stdout: Sink,
    stderr: Sink,
    size: tuple[int, int] | None,
    on_ready: Callable[[], object],
    progress: Progress,
) -> int:
    """Find or fetch what the machine is made of, boot it, and run `argv` in it.

    `size`, in rows and columns, makes it a terminal session.
    """
    if not argv:
        raise LabError("no command to run")
    find_qemu()
    memory = check_memory(options.memory)
    shares = writable_directories(options.writable)
    kernel = find_kernel(options.kernel, progress)
    root = cache_root()
    with locked(root):
        base = cached_base(kernel, fetch_busybox(root, progress), root)
        accel = choose_accel(kernel, base, options.icount, root, progress)
    cwd = Path.cwd()
    config = {
        "argv": list(argv),
        "cwd": str(cwd),
        "env": passed_environment(os.environ),
        "tty": size is not None,
        "size": size,
    }
    extra = run_archive(
        {
            "agent.py": guest_file("guest_agent.py"),
            "config.json": json.dumps(config).encode(),
            "settings.sh": settings(cwd, shares).encode(),
        }
    )

    def machine(channels: Mapping[str, int], initrd: Path) -> Machine:
        return Machine(
            image=kernel.image,
            initrd=initrd,
            modules=kernel.modules_parent,
            memory=memory,
            accel=accel,
            channels=channels,
            append=options.append,
            icount=options.icount,
            root_owner=os.geteuid() == 0,
            shares=shares,
        )

    progress(f"booting {kernel.release}")
    return boot(
        machine,
        (base, extra),
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        on_ready=on_ready,
        tty=size is not None,
    )


def run(argv: Sequence[str], options: Options | None = None, *, progress: Progress = nothing) -> int:
    """Run `argv` in the lab with this process's standard streams and return its status.

    With a terminal on standard input and output the command gets a terminal too. Raises LostVMError if the
    machine was lost, another LabError if it could not be made, Interrupted if a signal ended it before the
    command started.
    """
    size: tuple[int, int] | None = None
    on_ready: Callable[[], object] = nothing
    with ExitStack() as stack:
        if os.isatty(0) and os.isatty(1):
            shape = os.get_terminal_size(1)
            size = (shape.lines, shape.columns)
            stack.enter_context(restored(0))
            # Not earlier: until the command runs, Ctrl-C should end the boot.
            on_ready = partial(tty.setraw, 0)
        return start(
            argv,
            options or Options(),
            stdin=0,
            stdout=descriptor_sink(1),
            stderr=descriptor_sink(2),
            size=size,
            on_ready=on_ready,
            progress=progress,
        )


def capture(
    argv: Sequence[str], options: Options | None = None, *, stdin: bytes = b"", progress: Progress = nothing
) -> Completed:
    """Run `argv` in the lab with `stdin` as its input and return status and output. Raises as `run` does."""
    out, err = bytearray(), bytearray()
    with tempfile.TemporaryFile() as source:
        source.write(stdin)
        source.seek(0)
        status = start(
            argv,
            options or Options(),
            stdin=source.fileno(),
            stdout=out.extend,
            stderr=err.extend,
            size=None,
            on_ready=nothing,
            progress=progress,
        )
    return Completed(status, bytes(out), bytes(err))
