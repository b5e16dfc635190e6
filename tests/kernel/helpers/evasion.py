# SPDX-License-Identifier: Apache-2.0
"""Ways around a rule, each a script that must succeed where no rule is, and be refused for the right reason
where one is.

In a script `{v}` is the evasion's vault, of which a rule speaks, `{o}` a directory of which none does, and
`{act}` the program itself. `!` marks an attempt; every other statement has to succeed with and without rules,
so that a broken script cannot pass for a refusal.
"""

import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.kernel.arena import Arena
from tests.kernel.helpers.act import REFUSED, Done, Session, policy, unlabelled

PLACES = {"root": "/srv", "tmp": "/tmp"}
"""On the root file system, which is an overlay, and on a tmpfs that is mounted elsewhere."""

RULES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "file": ("file", {"matchPaths": [{"path": "{v}/secret"}]}),
    "tree": ("file", {"matchDirectories": [{"dir": "{v}/", "recursive": True}]}),
    "fixed": ("file", {"matchPaths": [{"path": "{v}/secret", "readOnly": True}]}),
    "named": ("file", {"matchPatterns": [{"pattern": "{v}/**/secret"}]}),
    "program": ("process", {"matchPaths": [{"path": "{v}/prog"}]}),
    "library": ("process", {"matchPaths": [{"path": "{v}/trap.so"}]}),
    "from": ("process", {"matchPaths": [{"path": "{v}/prog", "fromSource": [{"path": "/bin/bash"}]}]}),
}


@dataclass(frozen=True)
class Evasion:
    """One way around a rule of RULES. `free` and `confined` are what comes of the attempts."""

    name: str
    rule: str
    script: str
    free: str = "ok"
    confined: str = REFUSED
    because: str = "test"
    before: str = ""
    """Done once, by a task that no rule binds."""
    files: Mapping[str, str] = field(default_factory=dict)
    places: tuple[str, ...] = ("root", "tmp")


@dataclass(frozen=True)
class Trial:
    """An evasion at one place."""

    evasion: Evasion
    place: str

    @property
    def words(self) -> dict[str, str]:
        base = f"{PLACES[self.place]}/evasion/{self.evasion.name}"
        return {"v": f"{base}/vault", "o": f"{base}/open"}

    def __str__(self) -> str:
        return f"{self.evasion.name}-{self.place}"

    def fill(self, value: Any, **more: str) -> Any:
        """The words put into a text, or into all texts of a rule."""
        if isinstance(value, str):
            for word, text in {**self.words, **more}.items():
                value = value.replace(f"{{{word}}}", text)
        elif isinstance(value, Mapping):
            value = {key: self.fill(each, **more) for key, each in value.items()}
        elif isinstance(value, list):
            value = [self.fill(each, **more) for each in value]
        return value

    def lay_out(self, act: Path) -> None:
        vault, open_ = Path(self.words["v"]), Path(self.words["o"])
        if self.evasion.before and vault.exists():
            return
        for directory in (vault, open_):
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir(parents=True)
        Path(vault, "secret").write_text("secret")
        if self.evasion.rule in ("program", "from"):
            shutil.copy("/bin/true", vault / "prog")
        if self.evasion.rule == "library":
            shutil.copy(act.with_name("trap.so"), vault)
        for name, text in self.evasion.files.items():
            file = Path(self.fill(name))
            file.write_text(self.fill(text, act=str(act)))
            file.chmod(0o755)
        if self.evasion.before:
            assert set(unlabelled(act, self.fill(self.evasion.before))) == {"ok"}

    def attempt(self, session: Session) -> tuple[Done, list[str], list[str]]:
        """Run the script: what came of the attempts, and of the other statements."""
        self.lay_out(session.act)
        script = self.fill(self.evasion.script, act=str(session.act))
        statements = [each.strip() for each in script.split(";")]
        done = session.do(" ; ".join(each.lstrip("!") for each in statements))
        attempts, others = [], []
        assert len(done.results) == len(statements), done
        for statement, result in zip(statements, done.results, strict=True):
            (attempts if statement.startswith("!") else others).append(result)
        return done, attempts, others


def trials(evasions: Iterable[Evasion]) -> list[Any]:
    """All evasions at all their places, as parameters for pytest."""
    return [
        pytest.param(Trial(each, place), id=str(Trial(each, place)))
        for each in evasions
        for place in each.places
    ]


def rules_of(parameters: Iterable[Any]) -> str:
    """One policy with the rule of each trial."""
    sections: dict[str, dict[str, list[Any]]] = {}
    for parameter in parameters:
        (trial,) = parameter.values
        section, rules = RULES[trial.evasion.rule]
        for group, written in rules.items():
            sections.setdefault(section, {}).setdefault(group, []).extend(trial.fill(written))
    return policy(**sections)


@dataclass(frozen=True)
class Pair:
    """The same workload twice: under no rules, and under those of all trials."""

    free: Session
    confined: Session

    def check(self, trial: Trial) -> Done:
        """Prove the trial. What it did under the rules is returned."""
        evasion = trial.evasion
        done, attempts, others = trial.attempt(self.free)
        assert set(attempts) == {evasion.free}, done
        assert set(others) <= {"ok"}, done
        assert done.records == ()
        done, attempts, others = trial.attempt(self.confined)
        assert set(attempts) == {evasion.confined}, done
        assert set(others) <= {"ok"}, done
        assert done.refusals
        assert {done.because(record) for record in done.refusals} == {evasion.because}
        return done


@contextmanager
def pair(arena: Arena, act: Path, parameters: Iterable[Any]) -> Iterator[Pair]:
    with Session(arena, act) as free, Session(arena, act, rules_of(parameters)) as confined:
        yield Pair(free, confined)
