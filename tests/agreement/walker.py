# SPDX-License-Identifier: Apache-2.0
"""What a compiled table says of the accesses of the random world."""

from collections.abc import Sequence

from hauberk.enforcers.bpf_lsm.reading import SILENT, TableWalker, graver, said_by
from hauberk.rules.decide import CapabilityObject, FileObject, SocketObject
from hauberk.rules.model import MOVE, Rule, Verdict

from .access import Access, Answer, steps
from .world import World


def answers(walker: TableWalker, rules: Sequence[Rule], access: Access, world: World) -> list[Answer]:
    """What the table says of each step of an access, up to the first that it refuses."""
    found = []
    for step in steps(access, world):
        subject = access.actor.subject
        match step.object:
            case SocketObject(family, type_, protocol):
                if family in (1, 16):
                    continue
                word, name = walker.socket(subject, family, type_, protocol), b""
            case CapabilityObject(number):
                word, name = walker.capability(subject, number), str(number).encode()
            case FileObject(()):
                word, name = SILENT, b""
                for operation in step.operations:
                    word = graver(walker.unknown(operation), word)
            case FileObject(names, owned):
                word, name = walker.file(subject, step.operations, names[0], owned), names[0]
        if word >> 30 != Verdict.REFUSE and any(
            walker.move_refused(source, target, access.is_directory) for source, target in step.moves
        ):
            word = Verdict.REFUSE << 30 | MOVE
        found.append(Answer(step.call, Verdict(word >> 30), said_by(word, rules), name))
        if found[-1].refused:
            break
    return found
