# SPDX-License-Identifier: Apache-2.0
"""A compiled table, read as the kernel programs read it.

This is `lib/automaton.h`, `lib/verdict.h` and the use that hooks make of them, in Python: the same loads from
the same offsets. Naming is left out: paths are given.
"""

import struct
from collections.abc import Iterable, Sequence

from hauberk.enforcers.bpf_lsm import abi
from hauberk.enforcers.bpf_lsm.abi import TableFlag
from hauberk.enforcers.bpf_lsm.table import Table
from hauberk.rules.decide import Subject
from hauberk.rules.model import NONE, POSTURE, SPECIAL_NAMES, UNKNOWN, Operation, Rule, Verdict

SILENT = Verdict.PERMIT << 30 | NONE
_ABSORBING = 1
_ON_EXEC = (Operation.EXEC, Operation.MAP)


class TableWalker:
    """One table, and the arena that it lies in."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._arena = table.image
        (
            self._flags,
            self.root_device,
            self._file,
            self._exec,
            self._network,
            self._capabilities,
        ) = abi.TABLE.unpack_from(table.image, table.offset - table.base)

    # lib/automaton.h

    def _word(self, offset: int) -> tuple[int, int]:
        low, high = struct.unpack_from("<II", self._arena, offset - self._table.base)
        return low, high

    def _half(self, offset: int) -> int:
        return self._word(offset & ~7)[offset >> 2 & 1]

    def walk(self, state: int, path: bytes) -> int:
        for symbol in path:
            if state & _ABSORBING:
                break
            owner, following = self._word(state + 8 * symbol)
            state = following if owner == state else self._word(state)[1]
        return state

    def _accept(self, state: int) -> int:
        return self._word(state & ~7)[0]

    def _by_class(self, row: int, class_: int) -> int:
        if class_:
            owner, value = self._word(row + 8 * class_)
            if owner == row:
                return value
        return self._word(row)[0]

    def class_of(self, program: bytes | None) -> int:
        """The class that a task gets when it runs `program`."""
        if program is None:
            return 0
        row = self._accept(self.walk(self._exec, program)) & ~7
        return self._word(row)[1] & ~abi.PROGRAM_LOADER if row else 0

    # lib/verdict.h

    def _weigh(
        self, accept: int, subject: Subject, operations: Iterable[int], owner: bool, fresh: bool
    ) -> int:
        row, word = accept & ~7, SILENT
        if not row:
            return word
        value = self._by_class(row, self.class_of(subject.program))
        if value & abi.VALUE_REPLACED:
            value = self._by_class(value & ~7, self.class_of(subject.replaced))
        if not value & ~7:
            return word
        shift = condition = 0
        if value & abi.VALUE_CONDITIONAL:
            condition, shift = owner << 1 | subject.tty, 2
        for operation in sorted(operations):
            position = ((fresh << 1) + (operation & 1) << shift) + condition
            word = graver(word, self._half((value & ~7) + 4 * position))
        return word

    def file(
        self, subject: Subject, operations: Sequence[Operation], path: bytes, owner: bool, fresh: bool = False
    ) -> int:
        """The verdict word on operations on a path."""
        start = self._exec if operations[0] in _ON_EXEC else self._file
        return self._weigh(self._accept(self.walk(start, path)), subject, operations, owner, fresh)

    def unknown(self, operation: Operation) -> int:
        """The verdict word on an object without a name."""
        refused = self._flags & TableFlag.UNKNOWN_EXEC << operation
        return (Verdict.REFUSE if refused else Verdict.AUDIT) << 30 | UNKNOWN

    def socket(self, subject: Subject, family: int, type_: int, protocol: int) -> int:
        if family in (1, 16):
            return SILENT
        row = self._half(self._network + 4 * socket_row(family, type_, protocol))
        return self._weigh(row, subject, (0,), False, False)

    def capability(self, subject: Subject, number: int) -> int:
        return self._weigh(self._half(self._capabilities + 4 * number), subject, (0,), False, False)

    def move_refused(self, source: bytes, target: bytes, is_directory: bool) -> bool:
        """hooks/path.h, `upsets_block`."""
        if not self._flags & TableFlag.BLOCKS:
            return False
        below = abi.ACCEPT_BELOW * is_directory
        before, after = self.walk(self._exec, source), self.walk(self._exec, target)
        guarded = self._accept(before) & (abi.ACCEPT_BLOCKED | below) or self._accept(after) & below
        return bool(guarded) and before != after

    def speaks(self, flag: TableFlag) -> bool:
        """Whether the hooks of a section look any further."""
        return bool(self._flags & flag)

    def start(self, operation: Operation) -> int:
        """The automaton's state at the workload's root."""
        state: int = self._exec if operation in _ON_EXEC else self._file
        return state


def graver(one: int, other: int) -> int:
    """lib/verdict.h: of equals, the later."""
    return one if _rank(one) > _rank(other) else other


def _rank(word: int) -> int:
    verdict = word >> 30
    return 2 * {Verdict.REFUSE: 2, Verdict.AUDIT: 1}.get(Verdict(verdict), 0) + (word & NONE < POSTURE)


def socket_row(family: int, type_: int, protocol: int) -> int:
    """hooks/socket.h, `socket_kind`."""
    kind = 0
    if family in (17, 44):
        kind = 7
    elif family == 43:
        kind = int(type_ == 1)
    elif family in (2, 10):
        if type_ == 1 and protocol in (0, 6, 262):
            kind = 1
        elif type_ == 2 and protocol in (0, 17, 136):
            kind = 2
        elif protocol == 132 or (protocol == 0 and type_ == 5):
            kind = 5
        elif protocol == 33 or (protocol == 0 and type_ == 6):
            kind = 6
        else:
            kind = {1: 3, 58: 4}.get(protocol, 0)
    if type_ == 3 and family not in (2, 10, 17):
        type_ = 0
    return kind * 8 + (type_ if type_ <= 5 else 0)


def said_by(word: int, rules: Sequence[Rule]) -> Rule | str:
    """The rule of a verdict word, or what an alert names instead."""
    number = word & NONE
    return rules[number] if number < len(rules) else SPECIAL_NAMES.get(number, "")
