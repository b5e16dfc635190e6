# SPDX-License-Identifier: Apache-2.0
"""BPF objects, programs and links: opened from bytes, adjusted, loaded, attached, pinned.

An object file is a specification until `load()`: sizes, constants and the set of programs can be changed,
nothing touches the kernel. Everything that holds a file descriptor has `close()` and is a context manager;
nothing depends on the garbage collector. Links and duplicated maps live on when the object is closed, and
what is pinned lives on when all of it is.
"""

import errno
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from hauberk.kernel._shim import ffi, lib
from hauberk.kernel.errors import AttachError, KernelError, LoadError, PinError, fail
from hauberk.kernel.maps import Map, memlock, pin, pin_name
from hauberk.kernel.owned import Owned

LOG_BYTES = 256 * 1024
"""How much of the end of libbpf's and the verifier's messages is kept."""

_FAILED_PROGRAM = re.compile(r"prog '([^']+)': (?:failed to load|BPF program load failed)")


class Descriptor(Owned):
    """Something of the kernel behind a file descriptor, which it owns."""

    def __init__(self, fd: int, name: str) -> None:
        self._fd = fd
        self.name = name

    @property
    def fd(self) -> int:
        if self._fd < 0:
            raise ValueError(f"{type(self).__name__} {self.name} is closed")
        return self._fd

    def pin(self, path: Path) -> None:
        """Gives it a name in a bpffs, which keeps it alive without this process."""
        pin(self.fd, path, self.name)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, fd={self._fd})"


class Link(Descriptor):
    """An attachment. Closing it detaches the program, unless the link is pinned or open elsewhere."""

    @property
    def id(self) -> int:
        return int(_info(self.fd, "struct bpf_link_info", self.name).id)

    @property
    def program_id(self) -> int:
        return int(_info(self.fd, "struct bpf_link_info", self.name).prog_id)

    def program(self) -> "Program":
        """The program that it attaches, to be closed by the caller. Raises KernelError."""
        fd = int(lib.bpf_prog_get_fd_by_id(self.program_id))
        if fd < 0:
            fail(KernelError, f"opening the program of {self.name}", fd)
        return Program(fd, self.name)


class Program(Descriptor):
    """A loaded program."""

    def __init__(self, fd: int, name: str, section: str = "", handle: Any = None) -> None:
        super().__init__(fd, name)
        self.section = section
        self._handle = handle

    @property
    def id(self) -> int:
        return int(self._read().id)

    @property
    def is_lsm(self) -> bool:
        """Whether it belongs on a hook of the LSM layer."""
        return bool(self._read().type == lib.BPF_PROG_TYPE_LSM)

    @property
    def verified_instructions(self) -> int:
        """How many instructions the verifier walked to accept it."""
        return int(self._read().verified_insns)

    @property
    def memory(self) -> int:
        """The bytes that its instructions take, before and after their translation to machine code."""
        return memlock(self.fd) + int(self._read().jited_prog_len)

    @property
    def misses(self) -> int:
        """How often it was not run because a task that was preempted in it held the processor's turn."""
        return int(self._read().recursion_misses)

    @property
    def runs(self) -> int:
        """How often it ran while run statistics were enabled (`RunStatistics`)."""
        return int(self._read().run_cnt)

    def _read(self) -> Any:
        return _info(self.fd, "struct bpf_prog_info", self.name)

    def attach(self) -> Link:
        """Attaches it where its section says, which only a program of an open object knows."""
        if self._handle is None:
            raise ValueError(f"program {self.name} does not belong to an open object")
        link = lib.bpf_program__attach(self._handle)
        if link == ffi.NULL:
            fail(AttachError, f"attaching {self.name} to {self.section}", ffi.errno)
        # For tracing, LSM and iterator links all there is to the struct is the descriptor.
        fd = os.dup(lib.bpf_link__fd(link))
        lib.bpf_link__destroy(link)
        return Link(fd, self.name)

    def reattach(self) -> Link:
        """Attaches an adopted LSM program to the hook that it was loaded for, which the kernel knows."""
        fd = int(lib.shim_probe_attach(self.fd))
        if fd < 0:
            fail(AttachError, f"attaching {self.name}", fd)
        return Link(fd, self.name)

    def attach_trace(self, name: str, cookie: int) -> Link:
        """Attaches a `fexit` or `fentry` program to the function that it was loaded for; `cookie` is what it
        then finds. The link gets a `name`. Raises AttachError."""
        at_return = self.section.lstrip("?").startswith("fexit")
        fd = int(lib.shim_attach_trace(self.fd, at_return, cookie))
        if fd < 0:
            fail(AttachError, f"attaching {self.name} to {name}", fd)
        return Link(fd, name)

    def test_run(
        self, *, data: bytes = b"", context: bytes = b"", output_bytes: int = 0
    ) -> tuple[int, bytes]:
        """Runs it once with this packet or this context; returns its return value and the output data."""
        output = ffi.new("char[]", max(output_bytes, 1))
        output_size = ffi.new("uint32_t *", output_bytes)
        result = ffi.new("uint32_t *")
        code = lib.shim_test_run(
            self.fd,
            ffi.from_buffer(data) if data else ffi.NULL,
            len(data),
            output if output_bytes else ffi.NULL,
            output_size,
            ffi.from_buffer(context) if context else ffi.NULL,
            len(context),
            result,
        )
        if code < 0:
            fail(KernelError, f"running {self.name}", code)
        return int(result[0]), bytes(ffi.buffer(output, output_bytes))[: output_size[0]]


def run_task_iter(program: Program, pidfd: int = -1) -> bytes:
    """Runs an `iter/task` or `iter/task_file` program over the threads of one process, or of all; returns
    what it wrote.

    Raises KernelError; ESRCH if the process has gone.
    """
    fd = lib.shim_task_iter(program.fd, pidfd)
    if fd < 0:
        fail(KernelError, f"starting iterator {program.name}", fd)
    chunks: list[bytes] = []
    try:
        while True:
            try:
                chunk = os.read(fd, 1 << 16)
            except BlockingIOError:  # the kernel asks for another read after many tasks that wrote nothing
                continue
            if not chunk:
                return b"".join(chunks)
            chunks.append(chunk)
    except OSError as error:
        fail(KernelError, f"running iterator {program.name}", error.errno or 0)
    finally:
        os.close(fd)


def programs() -> Iterator[Program]:
    """Every program that the kernel has, open while it is looked at. Needs CAP_SYS_ADMIN."""
    for number in _numbers(lib.bpf_prog_get_next_id):
        fd = int(lib.bpf_prog_get_fd_by_id(number))
        if fd >= 0:  # else it has gone meanwhile
            with Program(fd, f"program {number}") as program:
                yield program


def links() -> Iterator[Link]:
    """Every link that is not about to end, open while it is looked at. Needs CAP_SYS_ADMIN."""
    for number in _numbers(lib.bpf_link_get_next_id):
        fd = int(lib.bpf_link_get_fd_by_id(number))
        if fd >= 0:
            with Link(fd, f"link {number}") as link:
                yield link


def _numbers(following: Callable[[int, Any], int]) -> Iterator[int]:
    number = ffi.new("uint32_t *")
    while following(number[0], number) >= 0:
        yield int(number[0])


def wait_for_programs() -> None:
    """Returns when every program that does not sleep and runs now has ended, on any processor: what such a
    program may have found in a map before can be freed then. Raises KernelError."""
    code = lib.shim_wait_for_programs()
    if code < 0:
        fail(KernelError, "waiting for running programs", code)


class RunStatistics(Descriptor):
    """While open, the kernel counts the runs of every program (`Program.runs`), which slows each a little."""

    def __init__(self) -> None:
        fd = int(lib.bpf_enable_stats(lib.BPF_STATS_RUN_TIME))
        if fd < 0:
            fail(KernelError, "enabling run statistics", fd)
        super().__init__(fd, "run statistics")


def _info(fd: int, kind: str, name: str) -> Any:
    info = ffi.new(f"{kind} *")
    size = ffi.new("uint32_t *", ffi.sizeof(kind))
    code = lib.bpf_obj_get_info_by_fd(fd, info, size)
    if code < 0:
        fail(KernelError, f"asking about {name}", code)
    return info


class BpfObject:
    """A BPF object file. `open` it, `load` it, then use `maps` and `programs` by their names in C."""

    def __init__(self, handle: Any, data: bytes) -> None:
        self._handle = handle
        self.data = data
        self.maps: dict[str, Map] = {}
        self.programs: dict[str, Program] = {}

    @classmethod
    def open(
        cls,
        data: bytes,
        *,
        map_sizes: Mapping[str, int] | None = None,
        value_sizes: Mapping[str, int] | None = None,
        rodata: Mapping[str, int] | None = None,
        disabled: Collection[str] = (),
        reuse: Mapping[str, Map] | None = None,
        targets: Mapping[str, str] | None = None,
        name: str = "hauberk",
    ) -> Self:
        """Parses an object and adjusts it.

        `map_sizes`: max_entries by map; `value_sizes`: bytes of a value by map; `rodata`: values of `const
        volatile` integer globals; `disabled`: programs not to load; `reuse`: maps that are there already, to
        be used in place of new ones; `targets`: programs to load, which would not be otherwise, and the
        kernel's function for each. Raises LoadError, also for a name that the object does not have.
        """
        with _CapturedLog() as log:
            handle = lib.shim_object_open(ffi.from_buffer(data), len(data), name.encode())
            if handle == ffi.NULL:
                raise LoadError(
                    f"not a usable BPF object: {os.strerror(ffi.errno)}", ffi.errno, log=log.text()
                )
        obj = cls(handle, data)
        try:
            obj._adjust(map_sizes or {}, value_sizes or {}, rodata or {}, disabled, reuse or {})
            with _CapturedLog() as log:
                obj._aim(targets or {}, log)
        except BaseException:
            obj.close()
            raise
        return obj

    def _adjust(
        self,
        map_sizes: Mapping[str, int],
        value_sizes: Mapping[str, int],
        rodata: Mapping[str, int],
        disabled: Collection[str],
        reuse: Mapping[str, Map],
    ) -> None:
        maps = dict(self._each_map())
        programs = dict(self._each_program())
        unknown = sorted({*map_sizes, *value_sizes, *reuse} - maps.keys())
        unknown += sorted(set(disabled) - programs.keys())
        if unknown:
            raise LoadError(f"the BPF object has no {', '.join(unknown)}", errno.ENOENT)
        for name, entries in map_sizes.items():
            self._check(lib.bpf_map__set_max_entries(maps[name], entries), f"sizing map {name}")
        for name, size in value_sizes.items():
            self._check(lib.bpf_map__set_value_size(maps[name], size), f"sizing the values of map {name}")
        for name, map_ in reuse.items():
            self._check(lib.bpf_map__reuse_fd(maps[name], map_.fd), f"reusing map {name}")
        for name in disabled:
            self._check(lib.bpf_program__set_autoload(programs[name], False), f"disabling {name}")
        for name, value in rodata.items():
            size = lib.shim_rodata_size(self._handle, name.encode())
            self._check(size, f"looking for the constant {name}")
            image = value.to_bytes(size, "little", signed=value < 0)
            self._check(lib.shim_set_rodata(self._handle, name.encode(), image, size), f"setting {name}")

    def _aim(self, targets: Mapping[str, str], log: "_CapturedLog") -> None:
        programs = dict(self._each_program())
        for name, function in targets.items():
            self._check(lib.bpf_program__set_autoload(programs[name], True), f"enabling {name}")
            code = lib.bpf_program__set_attach_target(programs[name], 0, function.encode())
            if code < 0:
                raise LoadError(f"{function}: the kernel does not describe it", -code, name, log.text())

    @staticmethod
    def _check(code: int, doing: str) -> None:
        if code < 0:
            raise LoadError(f"{doing}: {os.strerror(-code)}", -code)

    def _each_map(self) -> list[tuple[str, Any]]:
        found, handle = [], lib.bpf_object__next_map(self._handle, ffi.NULL)
        while handle != ffi.NULL:
            name = ffi.string(lib.bpf_map__name(handle)).decode()
            if lib.bpf_map__is_internal(handle):
                # A section of globals, which libbpf calls OBJECT.rodata, OBJECT.bss, ...
                name = name[name.index(".") :]
            found.append((name, handle))
            handle = lib.bpf_object__next_map(self._handle, handle)
        return found

    def _each_program(self) -> list[tuple[str, Any]]:
        found, handle = [], lib.bpf_object__next_program(self._handle, ffi.NULL)
        while handle != ffi.NULL:
            found.append((ffi.string(lib.bpf_program__name(handle)).decode(), handle))
            handle = lib.bpf_object__next_program(self._handle, handle)
        return found

    def load(self) -> None:
        """Creates the maps and loads the programs. Raises LoadError, with the end of the verifier's log."""
        with _CapturedLog() as log:
            code = lib.bpf_object__load(self._handle)
            text = log.text()
        if code < 0:
            failed = _FAILED_PROGRAM.search(text)
            program = failed.group(1) if failed else ""
            what = f"program {program}" if program else "the BPF object"
            raise LoadError(f"loading {what}: {os.strerror(-code)}", -code, program, text)
        for name, handle in self._each_map():
            self.maps[name] = Map(os.dup(lib.bpf_map__fd(handle)), name)
        for name, handle in self._each_program():
            fd = lib.bpf_program__fd(handle)
            if fd >= 0:
                section = ffi.string(lib.bpf_program__section_name(handle)).decode()
                self.programs[name] = Program(os.dup(fd), name, section, handle)

    def map_names(self) -> list[str]:
        """All maps of the object file, loaded or not."""
        return [name for name, _ in self._each_map()]

    def map(self, name: str) -> Map:
        """A map of the loaded object; KeyError if there is none of that name."""
        return self.maps[name]

    def program(self, name: str) -> Program:
        """A program of the loaded object; KeyError if there is none of that name or it is disabled."""
        return self.programs[name]

    def program_names(self) -> list[str]:
        """All programs of the object file, disabled ones included, loaded or not."""
        return [name for name, _ in self._each_program()]

    @property
    def btf(self) -> Any:
        """The object's types, for `hauberk.kernel.layout`."""
        return lib.bpf_object__btf(self._handle)

    def pin(self, directory: Path) -> None:
        """Pins maps and programs below a bpffs directory, as maps/NAME and programs/NAME. Raises PinError.

        What was pinned before a failure is taken back.
        """
        done: list[Path] = []
        things: list[tuple[str, Map | Program]] = [
            *(("maps", each) for each in self.maps.values()),
            *(("programs", each) for each in self.programs.values()),
        ]
        try:
            for kind, thing in things:
                (directory / kind).mkdir(mode=0o700, parents=True, exist_ok=True)
                path = directory / kind / pin_name(thing.name)
                thing.pin(path)
                done.append(path)
        except (OSError, PinError) as error:
            for path in done:
                path.unlink()
            if isinstance(error, OSError):
                raise PinError(f"pinning below {directory}: {error.strerror}", error.errno or 0) from error
            raise

    def close(self) -> None:
        """Closes its maps and programs. Links, duplicated maps and pins stay."""
        things: list[Map | Program] = [*self.maps.values(), *self.programs.values()]
        for each in things:
            each.close()
        self.maps.clear()
        self.programs.clear()
        if self._handle != ffi.NULL:
            lib.bpf_object__close(self._handle)
            self._handle = ffi.NULL

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _CapturedLog:
    """libbpf's messages of this thread, while it is entered."""

    def __enter__(self) -> Self:
        self._buffer = ffi.new("char[]", LOG_BYTES)
        lib.shim_log_to(self._buffer, LOG_BYTES)
        return self

    def text(self) -> str:
        return bytes(ffi.buffer(self._buffer, lib.shim_log_length())).decode("utf-8", "replace")

    def __exit__(self, *_: object) -> None:
        lib.shim_log_to(ffi.NULL, 0)
