# SPDX-License-Identifier: Apache-2.0
"""Policy sets and accesses at random, the same for the same seed.

A set aims at a few combinations of action, condition and operation that have occurred least so far: rules are
drawn for them, then rules that enclose, repeat or contradict those, then accesses to what the rules name by
tasks that they speak of, or nearly.
"""

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from hauberk.automaton.patterns import matches
from hauberk.policy.load import load_text
from hauberk.rules.decide import FileObject, decide
from hauberk.rules.meaning import Meaning
from hauberk.rules.model import Action, Operation, Posture, Postures, Rule, RuleSet, Section, Verdict
from hauberk.rules.normalise import rule_set

from . import written
from .access import (
    CAPABILITIES,
    OPERATIONS,
    SOCKETS,
    USES,
    VERBS,
    Access,
    Actor,
    Answer,
    expected,
    matching,
)
from .world import OWNERS, World
from .written import Document, Written

CONDITIONS: Final = ("owner", "readOnly", "pts", "fromSource", "none")
Combination = tuple[Action, str, str]

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
_KINDS = (
    "KubeArmorPolicy",
    "KubeArmorPolicy",
    "KubeArmorPolicy",
    "KubeArmorClusterPolicy",
    "KubeArmorHostPolicy",
)


_POSTURES = (Posture.ALLOW, Posture.AUDIT, Posture.AUDIT, Posture.BLOCK)
_AIMS = 6
"""Combinations that a set aims at."""
_CARRIED = 4
"""Accesses of a set that carry something out of a rule's reach."""


def can_be_written(condition: str, operation: str) -> bool:
    """Whether a policy can say it.

    Network and capability rules have no owner and no readOnly, capability rules no pts; a process rule has no
    readOnly, so that for `exec` and `map` it is file rules that have it.
    """
    if operation == "socket":
        return condition in ("pts", "fromSource", "none")
    if operation == "capability":
        return condition in ("fromSource", "none")
    return True


COMBINATIONS: Final[tuple[Combination, ...]] = tuple(
    (action, condition, operation)
    for action in Action
    for condition in CONDITIONS
    for operation in OPERATIONS
    if can_be_written(condition, operation)
)


@dataclass(frozen=True)
class Scene:
    """Policies, and what tasks do under them."""

    number: int
    world: World
    documents: tuple[Document, ...]
    postures: Postures
    base_set: bool
    visible: bool
    """Whether the kernel reports what it permits too."""
    meaning: Meaning
    """What Hauberk makes of the YAML."""
    accesses: tuple[tuple[Access, tuple[Answer, ...]], ...] = ()
    """With what `decide` says of each."""

    @property
    def title(self) -> str:
        """What to say of it where something is wrong."""
        return f"set {self.number}: {self.world}, {self.postures}, base set {self.base_set}"

    @property
    def policies(self) -> str:
        """The policies as YAML."""
        return written.text(self.documents)


@dataclass
class Tally:
    """What has occurred so far."""

    pairs: int = 0
    by_rule: int = 0
    combinations: Counter[Combination] = field(default_factory=Counter)
    decided: Counter[Combination] = field(default_factory=Counter)
    """Combinations of the rules that decided."""
    answers: Counter[str] = field(default_factory=Counter)
    operations: Counter[str] = field(default_factory=Counter)
    merged: Counter[bool] = field(default_factory=Counter)

    def add(self, meaning: Meaning, access: Access, answers: Sequence[Answer], world: World) -> None:
        self.pairs += 1
        self.operations[access.operation] += 1
        self.merged[world.merged] += 1
        deciding = [answer.by for answer in answers if isinstance(answer.by, Rule) and not answer.by.base]
        self.by_rule += bool(deciding)
        self.combinations.update(
            {
                c
                for index in matching(meaning, access, world)
                for c in combinations(meaning.rules[index], access)
            }
        )
        self.decided.update({c for rule in deciding for c in combinations(rule, access)})
        for answer in answers:
            by = answer.by if isinstance(answer.by, str) else "BaseSet" if answer.by.base else "a rule"
            self.answers[f"{answer.verdict.name} by {by or 'nothing'}"] += 1

    def __str__(self) -> str:
        lines = [
            f"{self.pairs} pairs of a policy set and an access, {self.by_rule / self.pairs:.0%} decided by a "
            f"rule; {self.merged[True]} with a merged /usr",
            *(f"  {count:6} {answer}" for answer, count in sorted(self.answers.items())),
            "rules that name the object (of these, rules that decided), by action, condition and operation:",
            f"{'':18}" + "".join(f"{operation:>12}" for operation in OPERATIONS),
        ]
        for action in Action:
            for condition in CONDITIONS:
                cells = [
                    f"{self.combinations[key]} ({self.decided[key]})"
                    if can_be_written(condition, operation)
                    else "-"
                    for operation in OPERATIONS
                    for key in [(action, condition, operation)]
                ]
                lines.append(f"{action.value:6}{condition:>12}" + "".join(f"{cell:>12}" for cell in cells))
        return "\n".join(lines)


def read(
    documents: Iterable[Document], world: World, postures: Postures, *, base_set: bool = False
) -> RuleSet:
    """What Hauberk makes of the policies' YAML in a world."""
    loaded = load_text(written.text(documents), "<drawn>")
    assert not loaded.faults, loaded.faults
    return rule_set(loaded.policies, postures, resolve=world.resolve, base_set=base_set)


def combinations(rule: Rule, access: Access) -> list[Combination]:
    """What a rule that names an access's object adds to the table of combinations."""
    named = (
        ("owner", rule.owner_only),
        ("readOnly", rule.read_only),
        ("pts", rule.tty_only),
        ("fromSource", bool(rule.sources)),
    )
    conditions = [name for name, is_so in named if is_so] or ["none"]
    return [(rule.action, condition, access.operation) for condition in conditions]


class Draw:
    """The source of everything random. Equal seeds give equal scenes."""

    def __init__(self, seed: int, worlds: Sequence[World], accesses: int = 40) -> None:
        self._random = random.Random(seed)
        self._worlds = worlds
        self._accesses = accesses
        self.tally = Tally()

    def scenes(self, count: int) -> Iterator[Scene]:
        """So many scenes; what occurs in them is counted in `tally`."""
        for number in range(count):
            yield self._scene(number)

    def _scene(self, number: int) -> Scene:
        pick = self._random
        world = self._worlds[number % len(self._worlds)]
        count = self.tally.combinations
        ranked = sorted(COMBINATIONS, key=lambda combination: (count[combination], pick.random()))
        aims = [(self._entry(world, *combination), combination[2]) for combination in ranked[:_AIMS]]
        entries = [entry for entry, _ in aims]
        for entry, operation in aims:
            if pick.random() < 0.6:
                entries.append(self._variation(world, entry, operation))
        for _ in range(pick.randrange(3)):
            entries.append(self._entry(world, *pick.choice(COMBINATIONS)))
        documents = self._documents(entries)
        postures = Postures(*(pick.choice(_POSTURES) for _ in range(3)))
        base_set = pick.random() < 0.5
        scene = Scene(
            number,
            world,
            documents,
            postures,
            base_set,
            visible=pick.random() < 0.6,
            meaning=Meaning(read(documents, world, postures, base_set=base_set)),
        )
        crew = _Crew(scene.meaning, world)
        each = self._accesses * 3 // (4 * _AIMS)
        targets = [aim for aim in aims for _ in range(each)]
        while len(targets) < self._accesses:
            entry = pick.choice(entries)
            targets.append((entry, pick.choice(_suited(entry.section))))
        drawn = [self._access(world, crew, entry, operation) for entry, operation in targets]
        carried = self._carried(world, crew, entries)
        drawn[len(drawn) - len(carried) :] = carried
        accesses = []
        for access in drawn:
            answers = tuple(expected(scene.meaning, access, world))
            self.tally.add(scene.meaning, access, answers, world)
            accesses.append((access, answers))
        return replace(scene, accesses=tuple(accesses))

    def _documents(self, entries: Sequence[Written]) -> tuple[Document, ...]:
        pick = self._random
        identities = [
            ("KubeArmorPolicy", "one"),
            (pick.choice(_KINDS), "two"),
            (pick.choice(_KINDS), "three"),
        ]
        sorted_out: dict[tuple[str, str], list[Written]] = {}
        for entry in entries:
            kind, name = pick.choice(identities)
            if kind == "KubeArmorHostPolicy" and entry.section is Section.NETWORK and entry.pts is not None:
                kind, name = identities[0]
            sorted_out.setdefault((kind, name), []).append(entry)
        documents = []
        for (kind, name), mine in sorted_out.items():
            default = pick.choice((None, *Action))
            of_sections = tuple(
                (section, pick.choice(tuple(Action)))
                for section in sorted({entry.section for entry in mine})
                if pick.random() < 0.3
            )
            documents.append(Document(kind, name, tuple(mine), default, of_sections))
        pick.shuffle(documents)
        return tuple(documents)

    # Rules

    def _entry(self, world: World, action: Action, condition: str, operation: str) -> Written:
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
            entry = self._on_paths(world, section, action, operation, condition in ("pts", "fromSource"))
        entry = self._limited(world, entry, condition)
        if pick.random() < 0.15:
            entry = self._limited(world, entry, pick.choice(CONDITIONS))
        return entry

    def _limited(self, world: World, entry: Written, condition: str) -> Written:
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
            programs = pick.sample([p.decode() for p in world.programs], pick.choice((1, 1, 2, 3)))
            return replace(entry, sources=tuple(self._as_written(world, program) for program in programs))
        if condition == "none" and on_paths and entry.form != "pattern" and pick.random() < 0.3:
            return replace(entry, pts=True)
        return entry

    def _on_paths(
        self, world: World, section: Section, action: Action, operation: str, sourced: bool
    ) -> Written:
        pick = self._random
        path = pick.choice(self._objects(world, operation)).decode()
        parent, _, name = path.rpartition("/")
        form = pick.choice(
            ("path", "path", "dir", "dir", "dir", *(() if sourced else ("pattern", "pattern")))
        )
        if section is Section.PROCESS and pick.random() < 0.15:
            return Written(section, "execname", name, action)
        if form == "path":
            return Written(section, form, self._as_written(world, path), action)
        if form == "dir":
            above = [parent]
            while above[-1]:
                above.append(above[-1].rpartition("/")[0])
            recursive = pick.random() < 0.7
            place = pick.choice((parent, parent, pick.choice(above))) if recursive else parent
            place = self._as_written(world, place) if place else "/"
            return Written(section, form, place, action, recursive=recursive)
        parent = self._as_written(world, parent)
        grand, _, middle = parent.rpartition("/")
        glob = pick.choice(
            (
                f"{parent}/*", f"{parent}/**", f"{parent}/{name[0]}*", f"{parent}/[{name[0]}-z]*",
                f"{grand}/*/{name}", f"/**/{name}", f"{grand}/**", f"{parent}/{{{name},zz}}",
                f"{parent}/?*", f"{parent}/[^f]*", f"{grand}/{{{middle},x/y}}/*",
            )
        )  # fmt: skip
        return Written(section, "pattern", glob, action)

    def _variation(self, world: World, entry: Written, operation: str) -> Written:
        """A rule that meets the other: inside it, around it or beside it, with another action."""
        pick = self._random
        action = pick.choice(tuple(Action))
        if entry.section in (Section.NETWORK, Section.CAPABILITIES):
            other = self._entry(world, action, "none", operation)
            same = replace(entry, action=action, sources=(), pts=None)
            return self._limited(world, pick.choice((other, same)), pick.choice(CONDITIONS))
        kind = pick.random()
        if kind < 0.4:
            base = replace(entry, action=action)
        elif kind < 0.7 and entry.form != "pattern":
            place = entry.text.rpartition("/")[0] if entry.form in ("path", "dir") else ""
            base = Written(entry.section, "dir", place or "/", action, recursive=True)
        else:
            base = self._on_paths(world, entry.section, action, operation, sourced=True)
        return self._limited(world, base, pick.choice(CONDITIONS))

    def _as_written(self, world: World, path: str) -> str:
        """A path, through a symbolic link if there is one that leads there."""
        names = [path.encode()]
        for link in world.links:
            real = world.resolve(link)
            if (names[0] + b"/").startswith(real + b"/"):
                names.append(link + names[0][len(real) :])
        return self._random.choice(names).decode()

    @staticmethod
    def _objects(world: World, operation: str) -> Sequence[bytes]:
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

    # Accesses

    def _access(self, world: World, crew: "_Crew", entry: Written, operation: str) -> Access:
        pick = self._random
        actor = self._actor(world, crew, entry, operation)
        verb = pick.choice(VERBS[operation])
        if operation == "capability":
            named = [number for number, name in CAPABILITIES.items() if name in entry.text.split(",")]
            number = pick.choice(named if named and pick.random() < 0.8 else tuple(CAPABILITIES))
            return Access(actor, verb, numbers=(number,))
        if operation == "socket":
            if verb in USES:
                return Access(actor, verb, numbers=USES[verb])
            return Access(actor, verb, numbers=pick.choice(SOCKETS))
        return self._file_access(world, actor, verb, entry, operation)

    def _file_access(self, world: World, actor: Actor, verb: str, entry: Written, operation: str) -> Access:
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
                return self._move(world, actor, verb, named, owners)
        return Access(actor, verb, named.one(pick, world.files), owner=owners[0])

    def _move(self, world: World, actor: Actor, verb: str, named: "_Named", owners: Sequence[int]) -> Access:
        pick = self._random
        if verb == "rename" and pick.random() < 0.2:
            return self._directory_move(actor, pick.choice(world.movable), world, owners)
        source = named.one(pick, world.files)
        targets = [path for path in world.files if path != source]
        if verb == "link" or (verb == "rename" and pick.random() < 0.6):
            targets = [*world.new]
        elsewhere = _Named(world, None) if pick.random() < 0.6 else named
        target = elsewhere.one(pick, targets)
        if pick.random() < 0.25 and target in world.files:
            source, target = target, source
        return Access(actor, verb, source, target, *owners, replaces=target in world.files)

    def _directory_move(self, actor: Actor, source: bytes, world: World, owners: Sequence[int]) -> Access:
        target = self._random.choice([path for path in world.new if not path.startswith(source + b"/")])
        return Access(actor, "rename", source, target, *owners, is_directory=True)

    def _carried(self, world: World, crew: "_Crew", entries: Sequence[Written]) -> list[Access]:
        """What Blocks name is moved by anybody, mostly by somebody of whom they do not speak."""
        pick = self._random
        blocks = [
            entry for entry in entries if entry.action is Action.BLOCK and entry.section <= Section.FILE
        ]
        found = []
        for _ in range(_CARRIED if blocks else 0):
            named = _Named(world, pick.choice(blocks))
            program = pick.choice((None, *world.programs))
            actor = crew.nearest(Actor(program, None, pick.random() < 0.5, pick.choice(OWNERS)))
            owners = [actor.uid, pick.choice(OWNERS)]
            above = [d for d in world.movable if any(f.startswith(d + b"/") for f in named.all(world.files))]
            if above and pick.random() < 0.5:
                found.append(self._directory_move(actor, pick.choice(above), world, owners))
                continue
            source = named.one(pick, world.files)
            verb, places = pick.choice((("rename", world.new), ("link", world.new), ("rename", world.files)))
            target = pick.choice([path for path in places if path != source])
            found.append(Access(actor, verb, source, target, *owners, replaces=target in world.files))
        return found

    def _actor(self, world: World, crew: "_Crew", entry: Written, operation: str) -> Actor:
        """Somebody of whom the rule speaks, three times in four."""
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
        return crew.nearest(Actor(program, replaced, tty, uid))


def _suited(section: Section) -> tuple[str, ...]:
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
