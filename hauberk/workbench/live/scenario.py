# SPDX-License-Identifier: Apache-2.0
"""A scenario, as values: what is set up, what is done, and what is expected."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from hauberk.errors import HauberkError

SECTIONS: Final = ("file", "network", "capabilities")
"""What default postures are set for."""
ALL: Final = "policies"
"""All policies of a scenario, where a step could name some."""
HOST: Final = "host"
"""The target of steps that run on the machine itself."""


class ScenarioError(HauberkError):
    """A scenario cannot be run as it is written: message with file, line and field."""


@dataclass(frozen=True, slots=True)
class WantedFile:
    """A file that must be there. `program` is one of `programs.NAMES`, or a path to copy; else `content`
    counts."""

    path: str
    owner: str = "root"
    mode: int = 0o644
    content: str = ""
    program: str = ""


@dataclass(frozen=True, slots=True)
class User:
    """A user that must be there."""

    name: str
    home: str
    shell: str = "/bin/bash"


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container to start. `target` is what steps call it, `name` what policies do."""

    target: str
    name: str
    namespace: str
    image: str
    labels: Mapping[str, str] = field(default_factory=dict)
    capabilities: tuple[str, ...] = ()
    privileged: bool = False
    command: tuple[str, ...] = ()
    is_late: bool = False
    """It is created after the policies have been applied."""


@dataclass(frozen=True, slots=True)
class Requirements:
    """What must be there before the steps."""

    programs: tuple[str, ...] = ()
    files: tuple[WantedFile, ...] = ()
    users: tuple[User, ...] = ()
    mounts: tuple[str, ...] = ()
    """Files that are mounted, each with a token in it."""
    working_directory: str = "/"
    network: bool = False
    """Names and addresses of the Internet must answer."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One field of an alert and what must hold for it. `how`: `is`, `contains`, `matches`, `not`."""

    field: str
    how: str
    value: str


@dataclass(frozen=True, slots=True)
class AlertPattern:
    """Which alerts are meant: all conditions hold. Without any, every alert is."""

    conditions: tuple[Condition, ...] = ()
    at_least: int = 1

    @property
    def operation(self) -> str:
        """The operation that is asked for, or empty."""
        return next((c.value for c in self.conditions if (c.field, c.how) == ("operation", "is")), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Something to do, and what must come of it.

    `exit`: `ok`, `fail`, `any`, or a number. `settings` changes the engine's instead of running anything;
    `apply` and `delete` name policies of the scenario, or ALL. If no step applies any, all are before the
    first.
    """

    line: int
    target: str = ""
    argv: tuple[str, ...] = ()
    user: str = "root"
    cwd: str = ""
    tty: bool = True
    retry: bool = False
    is_before: bool = False
    """It comes before the policies are applied."""
    apply: tuple[str, ...] = ()
    delete: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    exit: str = "any"
    output_matches: tuple[str, ...] = ()
    output_contains: tuple[str, ...] = ()
    output_not_matches: tuple[str, ...] = ()
    output_not_contains: tuple[str, ...] = ()
    alert: AlertPattern | None = None
    no_alert: AlertPattern | None = None
    log: AlertPattern | None = None
    """What is expected of logs, that is, of accesses that no alert is due for."""
    is_log_odd: bool = False
    """It is something else than a pattern."""

    @property
    def checks(self) -> bool:
        """Whether anything is expected at all."""
        outputs = (
            self.output_matches or self.output_contains or self.output_not_matches or self.output_not_contains
        )
        patterns = (self.alert, self.no_alert, self.log)
        return self.exit != "any" or bool(outputs) or any(each is not None for each in patterns)

    def unchecked(self) -> "Step":
        """The same without any expectation."""
        return replace(
            self,
            exit="any",
            output_matches=(),
            output_contains=(),
            output_not_matches=(),
            output_not_contains=(),
            alert=None,
            no_alert=None,
            log=None,
            retry=False,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A scenario. `fault` says why it cannot be run as it is written, and is empty if it can."""

    id: str
    file: str
    line: int
    suite: str = ""
    needs: str = "container"
    containers: tuple[Container, ...] = ()
    policies: tuple[Mapping[str, Any], ...] = ()
    """Documents, as plain data."""
    postures: Mapping[str, str] = field(default_factory=dict)
    """By section; of the containers' namespaces, or of the host."""
    annotations: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Postures by namespace, and in it by section, that come before `postures`."""
    visible: tuple[str, ...] = ()
    """What is reported of the containers, or of the host, though it is permitted; set if a step expects
    logs."""
    engine: Mapping[str, str] = field(default_factory=dict)
    """Settings of the engine that it needs."""
    requires: Requirements = Requirements()
    steps: tuple[Step, ...] = ()
    differs: str = ""
    fault: str = ""

    @property
    def is_of_host(self) -> bool:
        """Whether its steps run on the machine itself."""
        return self.needs == HOST or any(step.target == HOST for step in self.steps)
