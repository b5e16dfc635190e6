# SPDX-License-Identifier: Apache-2.0
"""Accesses at random: to what rules name, by tasks that they speak of, or nearly."""

import random
from collections.abc import Sequence
from dataclasses import replace

from hauberk.automaton.patterns import matches
from hauberk.rules.decide import FileObject, decide
from hauberk.rules.meaning import Meaning
from hauberk.rules.model import Action, Operation, Postures, Section, Verdict

from . import written
from .access import (
    CAPABILITIES,
    OPERATIONS,
    SOCKETS,
    USES,
    VERBS,
    WITHOUT_NAMES,
    Access,
    Actor,
)
from .world import OWNERS, World
from .written import Document, Written

CARRIED = 4
"""Accesses of a set that carry something out of a rule's reach."""


class Deeds:
    """Draws accesses under the rules of one policy set."""

    def __init__(self, pick: random.Random, world: World, meaning: Meaning) -> None:
        self._random = pick
        self._world = world
        self._crew = _Crew(meaning, world)
        # Where no rule speaks of files, the kernel does not look at them.
        self._speaks_of_files = any(r.section is Section.FILE and not r.base for r in meaning.rules)

    def access(self, entry: Written, operation: str) -> Access:
        pick = self._random
        actor = self._actor(entry, operation)
        verb = pick.choice(VERBS[operation])
        if operation == "capability":
            named = [number for number, name in CAPABILITIES.items() if name in entry.text.split(",")]
            number = pick.choice(named if named and pick.random() < 0.8 else tuple(CAPABILITIES))
            return Access(actor, verb, numbers=(number,))
        if operation == "socket":
            if verb in USES:
                return Access(actor, verb, numbers=USES[verb])
            return Access(actor, verb, numbers=pick.choice(SOCKETS))
        if verb in WITHOUT_NAMES and self._speaks_of_files and pick.random() < 0.08:
            return Access(actor, verb, WITHOUT_NAMES[verb])
        return self._file_access(actor, verb, entry, operation)

    def _file_access(self, actor: Actor, verb: str, entry: Written, operation: str) -> Access:
        world = self._world
        pick = self._random
        owners = [pick.choice((actor.uid, *OWNERS)) for _ in range(2)]
        named = _Named(world, entry)
        match verb:
            case "rmdir":
                return Access(actor, verb, named.one(pick, world.voids), owner=owners[0])
            case "chmod" | "utimes":
                # Others would be asked for a capability.
                return Access(actor, verb, named.one(pick, world.files), owner=actor.uid)
            case "create" | "mkdir" | "mkfifo" | "symlink":
                return Access(actor, verb, named.one(pick, (*world.new, *world.files)), owner=owners[0])
            case "exec":
                path = named.one(pick, (*world.programs, *world.scripts))
                return Access(actor, verb, path, owner=owners[0], other_owner=owners[1])
            case "map" | "read":
                return Access(actor, verb, named.one(pick, (*world.files, *world.programs)), owner=owners[0])
            case "rename" | "exchange" | "link":
                return self._move(actor, verb, named, owners)
        return Access(actor, verb, named.one(pick, world.files), owner=owners[0])

    def _move(self, actor: Actor, verb: str, named: "_Named", owners: Sequence[int]) -> Access:
        world = self._world
        pick = self._random
        if verb == "rename" and pick.random() < 0.2:
            return self._directory_move(actor, pick.choice(world.movable), owners)
        source = named.one(pick, world.files)
        targets = [path for path in world.files if path != source]
        if verb == "link" or (verb == "rename" and pick.random() < 0.6):
            targets = [*world.new]
        elsewhere = _Named(world, None) if pick.random() < 0.6 else named
        target = elsewhere.one(pick, targets)
        if pick.random() < 0.25 and target in world.files:
            source, target = target, source
        return Access(actor, verb, source, target, *owners, replaces=target in world.files)

    def _directory_move(self, actor: Actor, source: bytes, owners: Sequence[int]) -> Access:
        world = self._world
        target = self._random.choice([path for path in world.new if not path.startswith(source + b"/")])
        return Access(actor, "rename", source, target, *owners, is_directory=True)

    def carried(self, entries: Sequence[Written]) -> list[Access]:
        """What Blocks name is moved by anybody, mostly by somebody of whom they do not speak."""
        world = self._world
        pick = self._random
        blocks = [
            entry for entry in entries if entry.action is Action.BLOCK and entry.section <= Section.FILE
        ]
        found = []
        for _ in range(CARRIED if blocks else 0):
            named = _Named(world, pick.choice(blocks))
            program = pick.choice((None, *world.programs))
            actor = self._crew.nearest(Actor(program, None, pick.random() < 0.5, pick.choice(OWNERS)))
            owners = [actor.uid, pick.choice(OWNERS)]
            above = [d for d in world.movable if any(f.startswith(d + b"/") for f in named.all(world.files))]
            if above and pick.random() < 0.5:
                found.append(self._directory_move(actor, pick.choice(above), owners))
                continue
            source = named.one(pick, world.files)
            verb, places = pick.choice((("rename", world.new), ("link", world.new), ("rename", world.files)))
            target = pick.choice([path for path in places if path != source])
            found.append(Access(actor, verb, source, target, *owners, replaces=target in world.files))
        return found

    def _actor(self, entry: Written, operation: str) -> Actor:
        """Somebody of whom the rule speaks, three times in four."""
        world = self._world
        pick = self._random
        program = replaced = None
        listed = [world.resolve(source.encode()) for source in entry.sources]
        if listed and pick.random() < 0.75:
            program = pick.choice(listed)
            if operation == "exec" and pick.random() < 0.5:
                program, replaced = pick.choice(world.programs), program
        elif pick.random() < 0.5:
            program = pick.choice(world.programs)
        if program is not None and replaced is None and pick.random() < 0.3:
            replaced = pick.choice(world.programs)
        tty = pick.random() < 0.5
        if entry.pts is False and pick.random() < 0.5:
            tty = entry.action is not Action.ALLOW
        uid = 0 if operation in ("socket", "capability") else pick.choice((0, 0, 1000))
        return self._crew.nearest(Actor(program, replaced, tty, uid))


def suited(section: Section) -> tuple[str, ...]:
    match section:
        case Section.NETWORK:
            return ("socket",)
        case Section.CAPABILITIES:
            return ("capability",)
        case Section.PROCESS:
            return ("exec", "exec", "map", "rename", "link")
        case _:
            return tuple(operation for operation in OPERATIONS if operation not in ("socket", "capability"))


class _Named:
    """What an entry names, of some objects."""

    def __init__(self, world: World, entry: Written | None) -> None:
        self._rules = []
        if entry is not None:
            document = Document("KubeArmorPolicy", "one", (entry,))
            self._rules = [r.target for r in written.rules((document,), world, Postures()).rules]

    def all(self, objects: Sequence[bytes]) -> list[bytes]:
        return [path for path in objects if any(matches(target, path) for target in self._rules)]

    def one(self, pick: random.Random, objects: Sequence[bytes]) -> bytes:
        named = self.all(objects)
        return pick.choice(named if named and pick.random() < 0.9 else objects)


class _Crew:
    """Who can be there at all: to run a program one must be permitted to."""

    def __init__(self, meaning: Meaning, world: World) -> None:
        self._meaning = meaning
        self._found: dict[Actor, bool] = {}

    def nearest(self, actor: Actor) -> Actor:
        """The actor, or as much of it as the rules let come about."""
        for candidate in (actor, replace(actor, replaced=None), replace(actor, program=None, replaced=None)):
            if self._can_be(candidate):
                return candidate
        raise AssertionError("a task that runs nothing can always be")

    def _can_be(self, actor: Actor) -> bool:
        if actor not in self._found:
            self._found[actor] = all(
                decide(self._meaning, by.subject, Operation.EXEC, FileObject((path,), by.uid == 0)).verdict
                is not Verdict.REFUSE
                for by, path in way_of(actor)
            )
        return self._found[actor]


def way_of(actor: Actor) -> list[tuple[Actor, bytes]]:
    """The execs by which a task becomes that actor: who does each, and what it runs."""
    way = []
    now = replace(actor, program=None, replaced=None)
    for path in (actor.replaced, actor.program):
        if path is not None:
            way.append((now, path))
            now = replace(now, program=path, replaced=now.program)
    return way
