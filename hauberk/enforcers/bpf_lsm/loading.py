# SPDX-License-Identifier: Apache-2.0
"""Programs and maps brought into the kernel, and found there again.

What is loaded is pinned at once, and an engine is always made from pins, its loader's included: there is one
way to have one. Nothing is in force by half: what fails on the way is taken back, and what stood before was
not touched.
"""

import errno
import secrets
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Final

from hauberk.enforcers.bpf_lsm import abi, guard
from hauberk.enforcers.bpf_lsm.lease import NEXT, PIN_ROOT, Lease, drop_shared
from hauberk.enforcers.bpf_lsm.programs import EXECUTING, OPTIONAL, TRACED
from hauberk.enforcers.bpf_lsm.state import EngineState, StateDirectory, StateError
from hauberk.enforcers.protocol import EnforcerError
from hauberk.kernel import layout
from hauberk.kernel.errors import AttachError, KernelError, LoadError, PinError
from hauberk.kernel.features import HOOK, available_functions
from hauberk.kernel.libbpf import BpfObject, Link
from hauberk.kernel.loader import object_image
from hauberk.kernel.maps import Map, pin_name
from hauberk.kernel.pins import Pinned
from hauberk.kernel.symbols import address_of

MAX_ENGINES: Final = 38
"""Programs that the kernel takes on one hook (BPF_MAX_TRAMP_LINKS)."""
CAST: Final = "bpf_rdonly_cast"
_NEEDED: Final = (
    "arena",
    abi.HEADS,
    abi.SINCE,
    "labels",
    "mounts",
    "links",
    "guarded",
    "keepers",
    "violations",
    "events",
    abi.REPEATS,
    "counters",
    "labelling",
    "lineage",
    "places",
    "units",
    "hosting",
)


def load_programs(
    lease: Lease,
    arena_bytes: int,
    *,
    map_sizes: Mapping[str, int] | None = None,
    disabled: Collection[str] = (),
    reuse: Mapping[str, Map] | None = None,
) -> None:
    """Load, attach and pin into the lease's directory. Takes maps over that are in `reuse`, makes the others.

    Raises EnforcerError with the kernel's reason; nothing stays attached then, and the lease is removed.
    """
    image = object_image()
    links: list[Link] = []
    object_ = None
    try:
        functions = available_functions({CAST, *(HOOK + each for each in OPTIONAL), *TRACED.values()})
        with guard.shared_maps() as shared:
            object_ = BpfObject.open(
                image,
                map_sizes=map_sizes,
                value_sizes={} if reuse else {"arena": arena_bytes},
                rodata=constants(arena_bytes, functions),
                disabled={
                    *disabled,
                    *(each for each in OPTIONAL if HOOK + each not in functions),
                    *(each for each, function in TRACED.items() if function not in functions),
                },
                reuse={**shared, **(reuse or {})},
            )
            layout.check(object_.btf, abi.LAYOUTS, abi.SIZES)
            object_.load()
        guard.share(object_)
        guard.protect(object_)
        object_.map("stamp").update(bytes(4), abi.STAMP.pack(abi.version(), abi.digest(image)))
        _attach(object_, lease, links)
    except BaseException as error:
        _close(object_, links)
        with suppress(PinError):
            lease.remove()
        drop_shared()
        if isinstance(error, KernelError):
            raise EnforcerError(f"the enforcer could not be loaded: {error.message}", error.remedy) from error
        raise
    _close(object_, links)


def constants(arena_bytes: int, functions: Collection[str]) -> dict[str, int]:
    """The `const volatile` variables of the programs. Raises LoadError."""
    locks = {name: address_of(name) for name in ("rename_lock", "mount_lock")}
    for name, address in locks.items():
        if not address:
            raise LoadError(f"the kernel has no {name}, which tells whether names are changing", errno.ENOENT)
    return {
        "arena_mask": arena_bytes - 8,
        "can_cast": int(CAST in functions),
        "tells_outcomes": int(EXECUTING in functions),
        "repeat_secret": secrets.randbits(128),
        **locks,
        # Only for the arguments of an exec, and not on every architecture.
        **{name: address_of(name) for name in ("page_offset_base", "pgdir_shift")},
    }


def _attach(object_: BpfObject, lease: Lease, links: list[Link]) -> None:
    """Pin everything and attach the LSM programs, into `links`. Raises KernelError."""
    object_.pin(lease.path)
    (lease.path / "links").mkdir(mode=0o700)
    for program in object_.programs.values():
        if program.section.startswith(("lsm", "fentry", "fexit")):
            try:
                link = program.attach()
            except AttachError as error:
                if error.errno == errno.E2BIG:
                    message = f"{program.name}: the kernel takes at most {MAX_ENGINES} programs on one hook"
                    raise AttachError(message, errno.E2BIG, "wait until other runs have ended") from error
                raise
            links.append(link)
            link.pin(lease.path / "links" / program.name)


def _close(object_: BpfObject | None, links: Collection[Link]) -> None:
    for link in links:
        link.close()
    if object_ is not None:
        object_.close()


def load_beside(pinned: Pinned, name: str, programs: Collection[str]) -> Lease:
    """Load and attach this version's programs, by name, on the maps of those that are `pinned`, and pin them
    beside these. Both decide from here on, and an access that either refuses is refused.

    Raises EnforcerError; all is as before then.
    """
    discard_next(name)
    with BpfObject.open(object_image()) as object_:
        maps, names = object_.map_names(), object_.program_names()
    reuse = {
        each: pinned.map(each) for each in maps if each not in abi.PRIVATE and pin_name(each) in pinned.maps
    }
    try:
        lease = Lease.take(name + NEXT)
    except KernelError as error:
        raise EnforcerError(error.message, error.remedy) from error
    arena_bytes = pinned.map("arena").value_size
    load_programs(lease, arena_bytes, disabled=set(names) - set(programs), reuse=reuse)
    return lease


def discard_next(name: str) -> None:
    """Remove what a keeper left that was killed while it replaced the programs of `name`: those of which not
    all are attached, or those that have been replaced. Raises EnforcerError."""
    if not (PIN_ROOT / (name + NEXT)).exists():
        return
    try:
        Lease.take_over(name + NEXT).remove()
    except KernelError as error:
        raise EnforcerError(error.message, error.remedy) from error


def adopt(name: str) -> tuple[Lease, Pinned, EngineState, list[str]]:
    """An engine that is pinned and that nobody looks after: its lease, its pins, its state, and what is wrong
    with it in words. Without a state that can be read there is an empty one.

    Raises EnforcerError: there is none, somebody looks after it, or this version cannot.
    """
    pinned = None
    try:
        lease = Lease.take_over(name)
    except KernelError as error:
        raise EnforcerError(error.message, error.remedy) from error
    try:
        discard_next(name)
        pinned = Pinned.adopt(lease.path)
        found = _state(name)
        _check_version(name, pinned, found)
        findings = _mend(lease, pinned, found)
        if isinstance(found, StateError):
            return lease, pinned, EngineState(), [f"its state is lost: {found.message}", *findings]
        return lease, pinned, found, findings
    except BaseException as error:
        if pinned is not None:
            pinned.close()
        lease.close()
        if isinstance(error, KernelError):
            raise EnforcerError(f"{name} cannot be adopted: {error.message}", error.remedy) from error
        raise


def _state(name: str) -> EngineState | StateError:
    try:
        return StateDirectory(name).read()
    except StateError as error:
        return error


def _check_version(name: str, pinned: Pinned, state: EngineState | StateError) -> None:
    stamp = pinned.maps.get("stamp")
    value = stamp.lookup(bytes(4)) if stamp is not None and stamp.value_size == abi.STAMP.size else None
    if value is not None and abi.STAMP.unpack(value)[0] == abi.version():
        return
    by = "another version" if isinstance(state, StateError) else f"version {state.version}"
    raise EnforcerError(
        f"{name} was loaded by {by} of Hauberk, whose tables this one does not know; it stays in force",
        "look after it with that version, or let its command end and start it anew",
    )


def _mend(lease: Lease, pinned: Pinned, state: EngineState | StateError) -> list[str]:
    """Attach what is not attached any more; what there was to mend. Raises EnforcerError if a part is gone
    for good."""
    expected = () if isinstance(state, StateError) else (*state.maps, *state.programs)
    there = {*pinned.maps, *pinned.programs}
    gone = sorted({*map(pin_name, (*_NEEDED, *expected)), "label_tasks", "place_tasks"} - there)
    if gone:
        raise EnforcerError(
            f"{lease.path.name} is not whole, these pins are gone: {', '.join(gone)}",
            "what is left of it stays in force; let its command end and start it anew",
        )
    findings = []
    for name, program in pinned.programs.items():
        link = pinned.links.get(name)
        if program.is_lsm and (link is None or link.program_id != program.id):
            if link is not None:
                link.close()
                (lease.path / "links" / name).unlink()
            pinned.links[name] = program.reattach()
            pinned.links[name].pin(lease.path / "links" / name)
            findings.append(f"{name} was not attached: for some time what it decides was not enforced")
    return findings
