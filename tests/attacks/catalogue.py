# SPDX-License-Identifier: Apache-2.0
"""The attacks: small programs and scripts below this directory, one a file, and what their heads say.

A head is the comment at the top: in its first paragraph what is tried, then why it might work, and after a
line `---` a few lines of YAML:

    tries     which entries of the list of known bypasses it is (`[A1]`), `[own]` for others
    source    where it comes from, if it is from public sources outside of that list
    rule      the rule that it breaks, one of RULES; or `breaks`: the sections of a policy, as written there
    wins      how success shows: one of WINS
    by        what refuses it, as alerts name it; its own policy if nothing is said
    beyond    in place of `by`: it succeeds, and docs/threat-model.md says so by this heading
    posture   `block`, if the policy's Allow lists are to be closed
    alone     `true` if its rules would get in the way of other attacks
    lies_on   `tmpfs`, if the vault is to lie on a tmpfs rather than on the root file system
    alerted   an object that has to be among those of the alerts
    early     what was done before the policy came into force, in sh
    before    what somebody outside does once before it, under the policy, in sh
    outside   what somebody outside does meanwhile, in sh; a process whose id it hands out must not exec after
              that: one in the middle of it has no stack yet
    replaced  `true` if its policy is put in force anew all the while
    may_lack  what the kernel may lack; only then may it end with status 77, and with a line that says so
    unshared  `true` if it must not be let loose on this machine's mounts: free, it is run in its own
    places    the places in which it is run, if not all of PLACES

An attack finds its vault, of which the rule speaks, in $V, and a directory of which none speaks in $O; those
on Hauberk find its process in $AGENT, and the directory of its pins in $PINS. It ends by itself, and says on
its output what it got.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
GROUPS = ("names", "programs", "scope", "interfaces", "engine")
"""The directories of attacks. Those of `engine` are on Hauberk itself, and need no rule."""
SUFFIXES = (".c", ".sh")
PLACES = ("plain", "privileged")
"""In the machine's own root file system, or as in a privileged container: own root, host's PID namespace."""

GUARD = "HauberkSelfProtection"

WINS = {
    "secret": "the vault's secret is on the attack's output",
    "changed": "the vault is not what it was: content, names, modes, owners, times, attributes or flags",
    "ran": "the vault's program, or its library, has run",
    "reached": "the attack's word came in at the machine's TCP or UDP port",
    "dead": "Hauberk's process runs no more",
    "said": "the attack says that it has won, having looked itself",
}

SECRET = {"path": "{v}/secret"}
RULES: Mapping[str, Mapping[str, Any]] = {
    "secret": {"file": {"matchPaths": [SECRET]}},
    "tree": {"file": {"matchDirectories": [{"dir": "{v}/", "recursive": True}]}},
    "fixed": {"file": {"matchDirectories": [{"dir": "{v}/", "recursive": True, "readOnly": True}]}},
    "program": {"process": {"matchPaths": [{"path": "{v}/prog"}]}},
    "library": {"process": {"matchPaths": [{"path": "{v}/lib.so"}]}},
    "tcp": {"network": {"matchProtocols": [{"protocol": "tcp"}]}},
    "udp": {"network": {"matchProtocols": [{"protocol": "udp"}]}},
}


@dataclass(frozen=True)
class Attack:
    """One file of the catalogue. `name` is its policy's name too."""

    file: Path
    tries: tuple[str, ...]
    text: str
    wins: str
    rule: str = ""
    breaks: Mapping[str, Any] = field(default_factory=dict)
    by: tuple[str, ...] = ()
    beyond: str = ""
    posture: str = ""
    source: str = ""
    alone: bool = False
    lies_on: str = ""
    alerted: str = ""
    early: str = ""
    before: str = ""
    outside: str = ""
    may_lack: str = ""
    replaced: bool = False
    unshared: bool = False
    places: tuple[str, ...] = PLACES

    @property
    def name(self) -> str:
        return self.file.stem

    @property
    def reasons(self) -> frozenset[str]:
        """What may decide against it, as alerts name it."""
        return frozenset(self.by or (GUARD if self.on_engine else self.name,))

    @property
    def on_engine(self) -> bool:
        return self.file.parent.name == "engine"

    @property
    def sections(self) -> Mapping[str, Any]:
        return self.breaks or (RULES[self.rule] if self.rule else {})

    @property
    def apart(self) -> bool:
        """Does it need a workload of its own? Rules on paths of the own vault get in nobody's way."""
        return (
            self.alone
            or bool(self.posture or self.early or self.replaced)
            or not set(self.sections) <= {"file", "process"}
        )


class HeadError(Exception):
    """An attack whose head cannot be used."""


def attacks() -> list[Attack]:
    """All of them, in order of their names."""
    files = (path for group in GROUPS for path in HERE.joinpath(group).iterdir() if path.suffix in SUFFIXES)
    return [read(path) for path in sorted(files, key=lambda path: path.stem)]


def read(path: Path) -> Attack:
    """The attack in a file. Raises HeadError."""
    text, mark, head = _comment(path).partition("\n---\n")
    if not mark:
        raise HeadError(f"{path.name}: the head has no line ---")
    fields = yaml.safe_load(head)
    for name in ("tries", "by", "places"):
        if name in fields:
            fields[name] = tuple(fields[name])
    try:
        attack = Attack(file=path, text=text.strip(), **fields)
    except TypeError as error:
        raise HeadError(f"{path.name}: {error}") from None
    if attack.wins not in WINS:
        raise HeadError(f"{path.name}: wins: {attack.wins} is none of {', '.join(WINS)}")
    if attack.rule and attack.rule not in RULES:
        raise HeadError(f"{path.name}: rule: {attack.rule} is none of {', '.join(RULES)}")
    return attack


def _comment(path: Path) -> str:
    """The text of the comment behind the line with the licence."""
    source = path.read_text()
    if path.suffix == ".c":
        found = re.search(r"^/\*\n(.*?)^ \*/$", source, re.DOTALL | re.MULTILINE)
        lines = found[1].splitlines() if found else []
        return "\n".join(line.removeprefix(" *").removeprefix(" ") for line in lines)
    lines = []
    for line in source.splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.removeprefix("#").removeprefix(" "))
    return "\n".join(line for line in lines if "SPDX" not in line)
