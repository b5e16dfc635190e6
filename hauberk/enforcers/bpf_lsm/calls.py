# SPDX-License-Identifier: Apache-2.0
"""System calls that rules name: programs of their own, attached to the functions of those calls only.

They are pinned in a directory of their own beside the engine's pins, which is there while some rule names a
call. The map in it says which workload's rules name which call, and so also what has to be attached: whoever
adopts the engine needs to know no more.
"""

from collections.abc import Collection, Sequence
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Final

from hauberk.enforcers.bpf_lsm import abi
from hauberk.enforcers.bpf_lsm.loading import CAST, constants
from hauberk.enforcers.bpf_lsm.plans import Function, functions_for
from hauberk.enforcers.protocol import EnforcerError
from hauberk.kernel.errors import KernelError
from hauberk.kernel.features import available_functions
from hauberk.kernel.libbpf import BpfObject, Link
from hauberk.kernel.loader import object_image
from hauberk.kernel.maps import Map, pin_name
from hauberk.kernel.pins import Pinned, open_pin
from hauberk.kernel.unpinning import let_go, unpin

DIRECTORY: Final = "syscalls"
"""Below an engine's directory."""
_CALLS: Final = "calls"
_SCRATCH: Final = ".bss"
"""Where a program works; the same for all of them."""
_RETURNED: Final = 16
_ENTERED: Final = 4
"""Programs of the object, of either kind: as many can be loaded at one time."""


class NamedCalls:
    """What is attached for the engine whose directory is `path`."""

    def __init__(self, path: Path, pinned: Pinned) -> None:
        self._path = path / DIRECTORY
        self._pinned = pinned
        self._maps: dict[str, Map] = {}
        self._missed = 0

    def add(self, workload: int, numbers: Collection[int]) -> None:
        """From now on report these calls of a workload too. To be called before rules that name them come
        into force. Raises EnforcerError; all is as before then."""
        if not numbers:
            return
        before = self._named()
        fresh = {(workload, number) for number in numbers} - before
        try:
            self._attach(set(numbers) - {number for _, number in before})
            for each in fresh:
                self._maps[_CALLS].update(_key(*each), b"\1")
        except BaseException as error:
            with suppress(KernelError, EnforcerError):
                self._drop(fresh)
            if isinstance(error, KernelError):
                raise EnforcerError(
                    f"system calls cannot be reported: {error.message}", error.remedy
                ) from error
            raise

    def keep_only(self, workload: int, numbers: Collection[int]) -> None:
        """Report no other calls of a workload any more, and detach what nobody needs. Raises
        EnforcerError."""
        gone = {each for each in self._named() if each[0] == workload and each[1] not in numbers}
        try:
            if gone:
                self._drop(gone)
        except KernelError as error:
            raise EnforcerError(
                f"system calls that no rule names are still looked at: {error.message}", error.remedy
            ) from error

    def mend(self) -> list[str]:
        """Attach what is not attached any more, after an adoption; what there was to mend. Raises
        EnforcerError."""
        numbers = {number for _, number in self._named()}
        if not numbers:
            return []
        gone = [each for each in functions_for(numbers) if not self._link(each.name).exists()]
        try:
            self._load(gone)
        except KernelError as error:
            raise EnforcerError(f"system calls cannot be reported: {error.message}", error.remedy) from error
        return [f"{each.name} was not attached: for some time its calls were not reported" for each in gone]

    def renew(self, old: Path) -> None:
        """Attach this version's programs for what those pinned below the directory `old` look at, which are
        left. To be called when the engine's directory is another one. Raises EnforcerError."""
        path, self._path = self._path, old / DIRECTORY
        numbers = {number for _, number in self._named()}
        try:
            self.release()
            self._path = path
            if _SCRATCH in self._maps:
                self._maps.pop(_SCRATCH).close()
            if numbers:
                self._load(functions_for(numbers))
        except KernelError as error:
            raise EnforcerError(f"system calls cannot be reported: {error.message}", error.remedy) from error

    def attached(self) -> list[str]:
        """The functions of the kernel to which a program is attached."""
        links = self._path / "links"
        return sorted(each.name for each in links.iterdir()) if links.is_dir() else []

    def missed(self) -> int:
        """How many calls, of any task of the machine, the programs did not see: with `preempt=full` a task
        can be preempted inside one, which the kernel runs for no other on that processor until then. Raises
        KernelError."""
        return self._missed + sum(map(self._misses, self.attached()))

    def release(self) -> None:
        """Forget the programs, which end with the engine."""
        with suppress(KernelError):
            for function in self.attached():
                self._unguard(function)

    def close(self) -> None:
        """Let go of the descriptors; the pins stay."""
        for each in self._maps.values():
            each.close()
        self._maps.clear()

    def _named(self) -> set[tuple[int, int]]:
        """Workload and call, for each call that rules of a workload name."""
        self._open()
        calls = self._maps.get(_CALLS)
        return set(map(_workload_and_number, calls.keys())) if calls else set()

    def _open(self) -> None:
        for name in (_CALLS, _SCRATCH):
            pin = self._path / "maps" / pin_name(name)
            if name not in self._maps and pin.exists():
                self._maps[name] = Map(open_pin(pin), name)

    def _link(self, function: str) -> Path:
        return self._path / "links" / function

    def _attach(self, numbers: Collection[int]) -> None:
        wanted = functions_for(numbers)
        self._load([each for each in wanted if not self._link(each.name).exists()])

    def _load(self, functions: Collection[Function]) -> None:
        """Load and attach a program for each function. Raises KernelError; some may be attached then."""
        for kind, at_return, most in (("returned", True, _RETURNED), ("entered", False, _ENTERED)):
            these = [each for each in functions if each.at_return is at_return]
            for at in range(0, len(these), most):
                self._load_batch(these[at : at + most], kind)
        if not self._maps:
            # None of the calls exists here: their names are noted all the same, as those of others are.
            self._load_batch((), "returned")

    def _load_batch(self, functions: Sequence[Function], kind: str) -> None:
        image = object_image(DIRECTORY)
        constants_ = constants(self._pinned.map("arena").value_size, available_functions({CAST}))
        targets = {f"{kind}_{at}": each.name for at, each in enumerate(functions)}
        with ExitStack() as stack:
            object_ = stack.enter_context(
                BpfObject.open(image, targets=targets, reuse=self._reused(image), rodata=constants_)
            )
            object_.load()
            self._keep(object_)
            for name, each in zip(targets, functions, strict=True):
                program = object_.program(name)
                self._pinned.map("guarded").update(_guarded(program.id), b"\1")
                with closing(program.attach_trace(each.name, each.plan)) as link:
                    link.pin(self._link(each.name))

    def _keep(self, object_: BpfObject) -> None:
        """Pin the maps that all of these programs share, unless they are."""
        for directory in (self._path, self._path / "maps", self._path / "links"):
            directory.mkdir(mode=0o700, exist_ok=True)
        for name in (_CALLS, _SCRATCH):
            pin = self._path / "maps" / pin_name(name)
            if not pin.exists():
                object_.map(name).pin(pin)
            if name not in self._maps:
                self._maps[name] = object_.map(name).duplicate()

    def _drop(self, gone: Collection[tuple[int, int]]) -> None:
        """Look at these calls of these workloads no more. Raises KernelError."""
        calls = self._maps.get(_CALLS)
        for each in gone:
            if calls is not None:
                calls.delete(_key(*each))
        numbers = {number for _, number in self._named()}
        needed = {each.name for each in functions_for(numbers)} if numbers else set()
        unneeded = sorted(set(self.attached()) - needed)
        for function in unneeded:
            self._missed += self._misses(function)
            self._unguard(function)
        let_go(list(map(self._link, unneeded)))
        if not numbers:
            self.close()
            if self._path.exists():
                unpin(self._path)

    def _reused(self, image: bytes) -> dict[str, Map]:
        with BpfObject.open(image) as object_:
            names = object_.map_names()
        shared = {
            name: self._pinned.map(name)
            for name in names
            if name not in abi.PRIVATE and pin_name(name) in self._pinned.maps
        }
        return {**shared, **self._maps}

    def _misses(self, function: str) -> int:
        with (
            closing(Link(open_pin(self._link(function)), function)) as link,
            closing(link.program()) as program,
        ):
            return program.misses

    def _unguard(self, function: str) -> None:
        with closing(Link(open_pin(self._link(function)), function)) as link:
            self._pinned.map("guarded").delete(_guarded(link.program_id))


def _key(workload: int, number: int) -> bytes:
    return (workload << 32 | number).to_bytes(8, "little")


def _workload_and_number(key: bytes) -> tuple[int, int]:
    return int.from_bytes(key[4:], "little"), int.from_bytes(key[:4], "little")


def _guarded(program_id: int) -> bytes:
    return (abi.GUARDED_PROGRAM | program_id).to_bytes(8, "little")
