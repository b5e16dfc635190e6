# SPDX-License-Identifier: Apache-2.0
"""Rules at random, each for an action, a condition and an operation that it is to speak of."""

import random
from collections.abc import Sequence
from dataclasses import replace

from hauberk.rules.model import Action, Section

from .access import CAPABILITIES
from .tally import CONDITIONS
from .world import World
from .written import Written

_PROTOCOLS = (
    "all",
    "tcp",
    "udp",
    "raw",
    "icmp",
    "icmpv6",
    "packet",
    "stream",
    "dgram",
    "seqpacket",
    "tcp,udp",
)


class Entries:
    """Draws rules in a world."""

    def __init__(self, pick: random.Random, world: World) -> None:
        self._random = pick
        self._world = world

    def entry(self, action: Action, condition: str, operation: str) -> Written:
        pick = self._random
        if operation == "socket":
            entry = Written(Section.NETWORK, "protocol", pick.choice(_PROTOCOLS), action)
        elif operation == "capability":
            names = pick.sample(sorted({*CAPABILITIES.values(), "net_raw"}), pick.choice((1, 1, 2)))
            entry = Written(Section.CAPABILITIES, "capability", ",".join(names), action)
        else:
            process = condition != "readOnly" and (
                (operation == "exec" and pick.random() < 0.8) or (operation == "map" and pick.random() < 0.5)
            )
            section = Section.PROCESS if process else Section.FILE
            entry = self._on_paths(section, action, operation, condition in ("pts", "fromSource"))
        entry = self._limited(entry, condition)
        if pick.random() < 0.15:
            entry = self._limited(entry, pick.choice(CONDITIONS))
        return entry

    def _limited(self, entry: Written, condition: str) -> Written:
        """The entry with one condition more, if such an entry can have it."""
        pick = self._random
        on_paths = entry.section in (Section.PROCESS, Section.FILE)
        if condition == "owner" and on_paths:
            return replace(entry, owner=True)
        if condition == "readOnly" and entry.section is Section.FILE:
            return replace(entry, read=True)
        if condition == "pts" and entry.form != "pattern" and entry.section is not Section.CAPABILITIES:
            return replace(entry, pts=False)
        if condition == "fromSource" and entry.form != "pattern":
            programs = pick.sample([p.decode() for p in self._world.programs], pick.choice((1, 1, 2, 3)))
            return replace(entry, sources=tuple(self._as_written(program) for program in programs))
        if condition == "none" and on_paths and entry.form != "pattern" and pick.random() < 0.3:
            return replace(entry, pts=True)
        return entry

    def _on_paths(self, section: Section, action: Action, operation: str, sourced: bool) -> Written:
        pick = self._random
        path = pick.choice(self._objects(operation)).decode()
        parent, _, name = path.rpartition("/")
        form = pick.choice(
            ("path", "path", "dir", "dir", "dir", *(() if sourced else ("pattern", "pattern")))
        )
        if section is Section.PROCESS and pick.random() < 0.15:
            return Written(section, "execname", name, action)
        if form == "path":
            return Written(section, form, self._as_written(path), action)
        if form == "dir":
            above = [parent]
            while above[-1]:
                above.append(above[-1].rpartition("/")[0])
            recursive = pick.random() < 0.7
            place = pick.choice((parent, parent, pick.choice(above))) if recursive else parent
            place = self._as_written(place) if place else "/"
            return Written(section, form, place, action, recursive=recursive)
        parent = self._as_written(parent)
        grand, _, middle = parent.rpartition("/")
        glob = pick.choice(
            (
                f"{parent}/*", f"{parent}/**", f"{parent}/{name[0]}*", f"{parent}/[{name[0]}-z]*",
                f"{grand}/*/{name}", f"/**/{name}", f"{grand}/**", f"{parent}/{{{name},zz}}",
                f"{parent}/?*", f"{parent}/[^f]*", f"{grand}/{{{middle},x/y}}/*",
            )
        )  # fmt: skip
        return Written(section, "pattern", glob, action)

    def variation(self, entry: Written, operation: str) -> Written:
        """A rule that meets the other: inside it, around it or beside it, with another action."""
        pick = self._random
        action = pick.choice(tuple(Action))
        if entry.section in (Section.NETWORK, Section.CAPABILITIES):
            other = self.entry(action, "none", operation)
            same = replace(entry, action=action, sources=(), pts=None)
            return self._limited(pick.choice((other, same)), pick.choice(CONDITIONS))
        kind = pick.random()
        if kind < 0.4:
            base = replace(entry, action=action)
        elif kind < 0.7 and entry.form != "pattern":
            place = entry.text.rpartition("/")[0] if entry.form in ("path", "dir") else ""
            base = Written(entry.section, "dir", place or "/", action, recursive=True)
        else:
            base = self._on_paths(entry.section, action, operation, sourced=True)
        return self._limited(base, pick.choice(CONDITIONS))

    def _as_written(self, path: str) -> str:
        """A path, through a symbolic link if there is one that leads there."""
        names = [path.encode()]
        for link in self._world.links:
            real = self._world.resolve(link)
            if (names[0] + b"/").startswith(real + b"/"):
                names.append(link + names[0][len(real) :])
        return self._random.choice(names).decode()

    def _objects(self, operation: str) -> Sequence[bytes]:
        world = self._world
        match operation:
            case "exec":
                return (*world.programs, *world.programs, *world.scripts)
            case "map" | "read":
                return (*world.files, *world.programs)
            case "create":
                return (*world.new, *world.files)
            case "unlink":
                return (*world.files, *world.files, *world.voids)
            case _:
                return world.files
