# SPDX-License-Identifier: Apache-2.0
"""Policy sets and accesses at random, the same for the same seed.

A set aims at a few combinations of action, condition and operation that have occurred least so far: rules are
drawn for them, then rules that enclose, repeat or contradict those, then accesses to what the rules name by
tasks that they speak of, or nearly.
"""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from hauberk.policy.load import load_text
from hauberk.rules.meaning import Meaning
from hauberk.rules.model import Action, Posture, Postures, RuleSet, Section
from hauberk.rules.normalise import rule_set

from . import written
from .access import Access, Answer, expected
from .deeds import Deeds, suited
from .entries import Entries
from .tally import COMBINATIONS, Tally
from .world import World
from .written import Document, Written

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


def read(
    documents: Iterable[Document], world: World, postures: Postures, *, base_set: bool = False
) -> RuleSet:
    """What Hauberk makes of the policies' YAML in a world."""
    loaded = load_text(written.text(documents), "<drawn>")
    assert not loaded.faults, loaded.faults
    return rule_set(loaded.policies, postures, resolve=world.resolve, base_set=base_set)


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
        drawn = Entries(pick, world)
        count = self.tally.combinations
        ranked = sorted(COMBINATIONS, key=lambda combination: (count[combination], pick.random()))
        aims = [(drawn.entry(*combination), combination[2]) for combination in ranked[:_AIMS]]
        entries = [entry for entry, _ in aims]
        for entry, operation in aims:
            if pick.random() < 0.6:
                entries.append(drawn.variation(entry, operation))
        for _ in range(pick.randrange(3)):
            entries.append(drawn.entry(*pick.choice(COMBINATIONS)))
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
        deeds = Deeds(pick, world, scene.meaning)
        each = self._accesses * 3 // (4 * _AIMS)
        targets = [aim for aim in aims for _ in range(each)]
        while len(targets) < self._accesses:
            entry = pick.choice(entries)
            targets.append((entry, pick.choice(suited(entry.section))))
        found = [deeds.access(entry, operation) for entry, operation in targets]
        carried = deeds.carried(entries)
        found[len(found) - len(carried) :] = carried
        accesses = []
        for access in found:
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
