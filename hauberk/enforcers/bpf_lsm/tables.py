# SPDX-License-Identifier: Apache-2.0
"""From the meaning of a rule set to the bytes that the kernel programs walk.

Every verdict comes from `Meaning.outcome`, asked once for each set of rules that can match together, each
class of subject that these rules tell apart and each condition that they look at. What comes out is a
*decision* per automaton accept: a row of the packed table, keyed by the subject's class, whose values are
cells of verdict words. The formats are described in `hauberk/bpf/abi.h` and `hauberk/bpf/lib/automaton.h`.
"""

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress
from typing import NamedTuple, TypeAlias

from hauberk.automaton.pack import TableBuilder
from hauberk.enforcers.bpf_lsm import abi
from hauberk.enforcers.bpf_lsm.abi import TableFlag
from hauberk.enforcers.bpf_lsm.sharing import content_key, key_with_homes
from hauberk.enforcers.bpf_lsm.table import Table, states, walk
from hauberk.rules.meaning import Meaning
from hauberk.rules.model import NONE, Operation, Seen, Verdict
from hauberk.rules.sockets import socket_kind
from hauberk.workloads.homes import Home
from hauberk.workloads.mounts import Mount

_Operations: TypeAlias = tuple[Operation, ...]
_FILE: _Operations = (Operation.READ, Operation.WRITE)
_EXEC: _Operations = (Operation.EXEC, Operation.MAP)

_SILENT = int(Verdict.PERMIT) << 30 | NONE
_SEE = {
    Seen.PROCESS: TableFlag.SEE_PROCESS,
    Seen.FILE: TableFlag.SEE_FILE,
    Seen.NETWORK: TableFlag.SEE_NETWORK,
    Seen.CAPABILITIES: TableFlag.SEE_CAPABILITIES,
    Seen.DNS: TableFlag.SEE_DNS,
}
_UNKNOWN = {
    Operation.EXEC: TableFlag.UNKNOWN_EXEC,
    Operation.MAP: TableFlag.UNKNOWN_MAP,
    Operation.READ: TableFlag.UNKNOWN_READ,
    Operation.WRITE: TableFlag.UNKNOWN_WRITE,
}
# One socket of each row of the network table: (family, type, protocol) by protocol kind.
_PROTOCOL_KINDS = ((40, 0), (2, 6), (2, 17), (2, 1), (2, 58), (2, 132), (2, 33), (17, 0))
_OTHER_PROTOCOL = 255


@dataclass(slots=True)
class _Decision:
    """A row to be: the class of programs at this path, and for each subject class a cell's place or a further
    row."""

    program: int
    values: dict[int, "tuple[int, int] | dict[int, tuple[int, int]]"] = field(default_factory=dict)


_SILENCE = -1
_NOTHING = (_SILENCE, 0)


class _Cells:
    """All cells of a table, equal ones once."""

    def __init__(self) -> None:
        self.data = bytearray()
        self._places: dict[bytes, int] = {}

    def add(self, words: Sequence[int]) -> int:
        return self.add_packed(_packed(words))

    def add_packed(self, packed: bytes) -> int:
        place = self._places.setdefault(packed, len(self.data))
        if place == len(self.data):
            self.data += packed
        return place


def _packed(words: Sequence[int]) -> bytes:
    return struct.pack(f"<{len(words) + len(words) % 2}I", *words, *((0,) * (len(words) % 2)))


class _Template(NamedTuple):
    """The cell of any rule of one shape where it is alone, as a number of `size` bytes: `fixed`, and at the
    places of `own` the rule's number."""

    fixed: int
    own: int
    size: int


def compile_table(
    meaning: Meaning,
    base: int,
    mounts: Sequence[Mount],
    homes: Sequence[Home],
    visible: Iterable[Seen] = (),
) -> Table:
    """The table for a workload that sees `mounts`, with those homes below which a Block names something.

    Raises StateLimitError or ImageTooLargeError if the rules are too many.
    """
    table = TableCompiler(meaning, base).compile(mounts, visible)
    entries = []
    for home in homes:
        reached = meaning.exec.run(home.path)
        if meaning.blocks[meaning.exec.accept_id(reached)] or meaning.blocks_below[reached]:
            ino = abi.HOME_MAGIC | home.magic if home.magic else home.dev
            key = abi.MOUNT_KEY.pack(table.offset, abi.HOME_DEV, ino)
            entries.append((key, abi.MOUNT.pack(0, *states(table, home.path), 0, 0)))
    return replace(table, mounts=(*table.mounts, *entries), key=key_with_homes(table.key, homes))


class TableCompiler:
    """Compiles one meaning. `base` is the arena offset at which the image will stand, a multiple of 8."""

    def __init__(self, meaning: Meaning, base: int) -> None:
        self._meaning = meaning
        self._builder = TableBuilder(base)
        self._base = base
        self._cells = _Cells()
        self._flags = TableFlag(0)

    def compile(self, mounts: Sequence[Mount], visible: Iterable[Seen] = ()) -> Table:
        """The table for a workload that sees `mounts`. What is `visible` is reported when it is
        permitted too.

        Raises StateLimitError or ImageTooLargeError if the rules are too many.
        """
        meaning, visible = self._meaning, frozenset(visible)
        file = self._decide_paths(
            meaning.lone_file_rules(), _FILE, lambda accept: (meaning.file_rules(accept), 0)
        )
        exec_ = self._decide_paths(
            meaning.lone_exec_rules(),
            _EXEC,
            lambda accept: (meaning.exec_rules(accept), meaning.class_of_exec_accept(accept)),
        )
        network = [
            self._decide(meaning.socket_rules(kind), 0, (Operation.NETWORK,)) if kind else _Decision(0)
            for kind in map(_kind_of_row, range(abi.SOCKET_KINDS))
        ]
        capabilities = [
            self._decide(meaning.capability_rules(number), 0, (Operation.CAPABILITY,))
            for number in range(abi.CAPABILITIES)
        ]
        for decisions, flag in (
            (file, TableFlag.FILE),
            (exec_, TableFlag.PROCESS),
            (network, TableFlag.NETWORK),
            (capabilities, TableFlag.CAPABILITIES),
        ):
            if any(
                decision != _SILENCE if isinstance(decision, int) else decision.values
                for decision in decisions
            ):
                self._flags |= flag
        for seen in visible:
            self._flags |= TableFlag.SEE | _SEE[seen]
        for operation, flag in _UNKNOWN.items():
            if meaning.unknown_outcome(operation).verdict is Verdict.REFUSE:
                self._flags |= flag
        if meaning.own != NONE:
            self._flags |= TableFlag.OWN
        key = content_key(meaning.ruleset, mounts, visible)
        return self._pack(file, exec_, network, capabilities, mounts, key)

    def _decide_paths(
        self, lone: Sequence[int], operations: _Operations, what: Callable[[int], tuple[frozenset[int], int]]
    ) -> list[_Decision | int]:
        """What each accept comes to: a decision, or the place of a cell that holds for every subject.

        `lone` has for each accept the rule that alone matches, as at nearly every path of a large rule set;
        what that leads to depends on the rule's shape only, but for the rule's own number. `what` gives the
        rules that match at any other accept, and the class of programs there.
        """
        found: list[_Decision | int] = []
        templates: dict[int, _Template | None] = {}
        shapes, add = self._meaning.shapes, self._cells.add_packed
        for accept, rule in enumerate(lone):
            template = None
            if rule != NONE:
                shape = shapes[rule]
                if shape not in templates:
                    templates[shape] = self._template(rule, operations)
                template = templates[shape]
            if template is None:
                found.append(self._decide(*what(accept), operations))
                continue
            fixed, own, size = template
            found.append(add((fixed + rule * own).to_bytes(size, "little")) if size else _SILENCE)
        return found

    def _template(self, rule: int, operations: _Operations) -> _Template | None:
        """The template for rules of this one's shape, empty if they say nothing; None if that is no single
        cell."""
        meaning, matching = self._meaning, frozenset({rule})
        classes, replaced = self._relevant(matching, operations)
        if classes or replaced or meaning.conditional(matching):
            return None
        words = self._words(matching, operations, 0, 0, False)
        if all(word == _SILENT for word in words):
            return _Template(0, 0, 0)
        own = [word & NONE == rule for word in words]
        fixed = _packed([word & ~NONE if mine else word for word, mine in zip(words, own, strict=True)])
        return _Template(int.from_bytes(fixed, "little"), int.from_bytes(_packed(own), "little"), len(fixed))

    def _relevant(
        self, matching: frozenset[int], operations: _Operations
    ) -> tuple[frozenset[int], frozenset[int]]:
        """The classes of programs, and of replaced ones, that may hear something else than class 0."""
        meaning = self._meaning
        classes = frozenset().union(*(meaning.relevant_classes(matching, each) for each in operations)) - {0}
        return classes, meaning.relevant_replaced(matching) if Operation.EXEC in operations else frozenset()

    def _decide(self, matching: frozenset[int], program: int, operations: _Operations) -> _Decision:
        """What the rules `matching` say to each class of subject. Classes that hear the same as class 0 are
        left out."""
        decision = _Decision(program)
        classes, replaced = self._relevant(matching, operations)
        conditional = self._meaning.conditional(matching)

        def cell(class_: int, replaced_class: int) -> tuple[int, int]:
            words = self._words(matching, operations, class_, replaced_class, conditional)
            if all(word == _SILENT for word in words):
                return _NOTHING
            return self._cells.add(words), abi.VALUE_CONDITIONAL if conditional else 0

        def value(class_: int) -> "tuple[int, int] | dict[int, tuple[int, int]]":
            alone = cell(class_, 0)
            others = {r: found for r in sorted(replaced) if (found := cell(class_, r)) != alone}
            return {0: alone, **others} if others else alone

        usual = value(0)
        if usual != _NOTHING:
            decision.values[0] = usual
        for class_ in sorted(classes):
            if (found := value(class_)) != usual:
                decision.values[class_] = found
        return decision

    def _words(
        self,
        matching: frozenset[int],
        operations: _Operations,
        class_: int,
        replaced: int,
        conditional: bool,
    ) -> list[int]:
        """The words of a cell, in the order that `abi.h` gives."""
        found = []
        for fresh in (False, True) if len(operations) > 1 else (False,):
            rules = self._meaning.without_allows(matching) if fresh else matching
            for operation in operations:
                for owner in (False, True) if conditional else (False,):
                    for tty in (False, True) if conditional else (False,):
                        outcome = self._meaning.outcome(operation, rules, class_, replaced, owner, tty)
                        found.append(int(outcome.verdict) << 30 | outcome.rule)
        return found

    def _pack(
        self,
        file: Sequence[_Decision | int],
        exec_: Sequence[_Decision | int],
        network: Sequence[_Decision],
        capabilities: Sequence[_Decision],
        mounts: Sequence[Mount],
        key: bytes,
    ) -> Table:
        meaning, builder = self._meaning, self._builder
        cells = builder.add_block(bytes(self._cells.data) or bytes(8))

        def encoded(value: "tuple[int, int] | dict[int, tuple[int, int]]") -> int:
            if isinstance(value, dict):
                edges = {class_: encoded(cell) for class_, cell in value.items() if class_}
                return builder.add_row(encoded(value[0]), 0, edges) | 1 | abi.VALUE_REPLACED
            place, flags = value
            return 1 if place < 0 else cells + place | 1 | flags

        def row(decision: _Decision) -> int:
            if not decision.values and not decision.program:
                return 1
            usual = encoded(decision.values.get(0, _NOTHING))
            edges = {class_: encoded(value) for class_, value in decision.values.items() if class_}
            loader = abi.PROGRAM_LOADER if decision.program in meaning.loader_classes else 0
            return builder.add_row(usual, decision.program | loader, edges) | 1

        places = sorted({place for place in (*file, *exec_) if isinstance(place, int) and place != _SILENCE})
        first = builder.add_rows_without_edges([cells + place | 1 for place in places])
        leaf = {place: first + 8 * number | 1 for number, place in enumerate(places)}
        leaf[_SILENCE] = 1

        file_rows = [leaf[each] if isinstance(each, int) else row(each) for each in file]
        exec_rows = [leaf[each] if isinstance(each, int) else row(each) for each in exec_]
        network_rows = [row(decision) for decision in network]
        capability_rows = [row(decision) for decision in capabilities]
        if any(meaning.blocks):
            self._flags |= TableFlag.BLOCKS
            for accept in compress(range(len(exec_rows)), meaning.blocks):
                exec_rows[accept] |= abi.ACCEPT_BLOCKED
        below = meaning.blocks_below.translate(bytes((0, abi.ACCEPT_BELOW)) + bytes(254))
        exec_words = meaning.exec.spread(exec_rows, below)
        file_start = builder.add_automaton(meaning.file, meaning.file.spread(file_rows))
        # The move guard compares states: what is decided alike for programs may be told apart by a file rule.
        exec_start = builder.add_automaton(
            meaning.exec, exec_words, share=TableFlag.BLOCKS not in self._flags
        )
        offsets = [
            builder.add_block(struct.pack(f"<{len(rows)}I", *rows))
            for rows in (network_rows, capability_rows)
        ]
        names = sorted({mount.path for mount in mounts if mount.path})
        prefixes = {name: builder.add_block(struct.pack("<I", len(name)) + name) for name in names}
        room = builder.add_block(bytes(abi.TABLE_ALIGNMENT + abi.TABLE.size))
        offset = -(-room // abi.TABLE_ALIGNMENT) * abi.TABLE_ALIGNMENT
        image = bytearray(builder.image())
        head = abi.TABLE.pack(self._flags, _plain_root(mounts), file_start, exec_start, *offsets)
        image[offset - self._base : offset - self._base + len(head)] = head
        states = {b"": (file_start, exec_start)}
        for name in names:
            states[name] = (
                walk(image, self._base, file_start, name),
                walk(image, self._base, exec_start, name),
            )
        entries = _mount_entries(offset, mounts, states, prefixes)
        return Table(self._base, bytes(image), offset, tuple(entries), self._flags, key, meaning.numbering)


def _kind_of_row(row: int) -> int:
    kind, type_ = divmod(row, 8)
    family, protocol = _PROTOCOL_KINDS[kind]
    if kind == 0:
        # Of the inet family, for the sake of `raw`; the protocol is one that no rule speaks of.
        family, protocol = 2, _OTHER_PROTOCOL
    return socket_kind(family, type_, protocol)


def _plain_root(mounts: Sequence[Mount]) -> int:
    """The device of the root file system if a file's dentries alone give its one name; else 0."""
    root = next((mount for mount in mounts if not mount.path), None)
    if root is None or not root.whole or sum(mount.dev == root.dev for mount in mounts) > 1:
        return 0
    return root.dev


def _mount_entries(
    table: int,
    mounts: Sequence[Mount],
    states: Mapping[bytes, tuple[int, int]],
    prefixes: Mapping[bytes, int],
) -> Iterable[tuple[bytes, bytes]]:
    """Keys and values for the `mounts` map: one for each superblock, and one for each directory of it that is
    mounted."""
    places: dict[int, dict[int, list[bytes]]] = {}
    for mount in mounts:
        paths = places.setdefault(mount.dev, {}).setdefault(0 if mount.whole else mount.inode, [])
        if mount.path not in paths:
            paths.append(mount.path)
    chained = 0
    for dev, directories in places.items():
        subtrees = abi.MOUNT_SUBTREES if any(directories) else 0
        for inode, paths in {0: [], **directories}.items():
            following = 0
            for position, path in reversed(list(enumerate(paths[: abi.MAX_NAMES + 1]))):
                value = abi.MOUNT.pack(
                    abi.MOUNT_ROOT | subtrees, *states[path], prefixes.get(path, 0), following
                )
                if position:
                    chained += 1
                    following = chained
                    yield abi.MOUNT_KEY.pack(table, abi.CHAINED_DEV, chained), value
                else:
                    yield abi.MOUNT_KEY.pack(table, dev, inode), value
            if not paths:
                yield abi.MOUNT_KEY.pack(table, dev, inode), abi.MOUNT.pack(subtrees, 0, 0, 0, 0)
