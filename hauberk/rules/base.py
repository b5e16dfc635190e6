# SPDX-License-Identifier: Apache-2.0
"""The base set: what nearly every program must read to start at all.

Under the posture `block` an allow list would otherwise have to name the loader, the C library and the
locale of each image. The base set permits reading them, and nothing else: no writing, no running, and
any Block overrides it. It does not count as an Allow rule, so it switches no posture on.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from hauberk.automaton.patterns import Directory, Exact, Glob, Pattern
from hauberk.rules.model import Action, PolicyId, Rule, Scope, Section, Target

LIBRARY_DIRECTORIES: Final = tuple(
    Directory(path, True)
    for path in (
        b"/lib", b"/lib32", b"/lib64", b"/libx32",
        b"/usr/lib", b"/usr/lib32", b"/usr/lib64", b"/usr/libx32", b"/usr/local/lib",
    )
)  # fmt: skip
"""Where shared libraries live.

Process Blocks on these or on wider directories do not stop mapping what is in them.
"""

LOADERS: Final = (
    Glob(b"/{usr/,}lib{,32,64,x32}/{*/,}ld{-*,64,}.so*"),
    Glob(b"/{usr/,}lib/{ld-musl-*,libc.musl-*,*-linux-musl/libc.so}"),
)
"""ELF loaders.

Run as a program, one runs any other program by mapping it, so mapping counts as running for it.
"""

BASE_POLICY: Final = PolicyId("BaseSet", "", "base")


@dataclass(frozen=True, slots=True)
class BaseEntry:
    """One line of the base set.

    What it is for, and the objects. An own entry is known by the task, not by its path.
    """

    purpose: str
    target: Pattern
    own: bool = False


BASE_SET: Final = (
    *(BaseEntry("ELF loader", loader) for loader in LOADERS),
    *(BaseEntry("libraries", directory) for directory in LIBRARY_DIRECTORIES),
    BaseEntry("library cache", Exact(b"/etc/ld.so.cache")),
    BaseEntry("locale", Directory(b"/usr/share/locale", True)),
    BaseEntry("locale", Exact(b"/etc/locale.alias")),
    BaseEntry("time zone", Directory(b"/usr/share/zoneinfo", True)),
    BaseEntry("time zone", Exact(b"/etc/localtime")),
    BaseEntry("time zone", Exact(b"/etc/timezone")),
    *(
        BaseEntry("device", Exact(b"/dev/" + name))
        for name in (b"null", b"zero", b"full", b"random", b"urandom", b"tty")
    ),
    BaseEntry("the task's own terminal", Exact(b"/dev/pts/self"), own=True),
    BaseEntry("the task's own process", Directory(b"/proc/self", True), own=True),
)


def base_rules(names: Callable[[Pattern], tuple[Pattern, ...]]) -> Iterator[Rule]:
    """The base set as rules.

    `names` gives the pattern and its forms along the real paths of the workload.
    """
    for index, entry in enumerate(BASE_SET):
        for target in (entry.target,) if entry.own else names(entry.target):
            yield Rule(
                policy=BASE_POLICY,
                scope=Scope.NAMESPACE,
                index=index,
                where=entry.purpose,
                line=0,
                section=Section.FILE,
                action=Action.ALLOW,
                target=target,
                read_only=True,
                base=True,
            )


def is_own(target: Target) -> bool:
    """Whether a base rule's target stands for what is the asking task's own: no path tells that."""
    return any(entry.own and entry.target == target for entry in BASE_SET)
