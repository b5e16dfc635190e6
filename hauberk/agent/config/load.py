# SPDX-License-Identifier: Apache-2.0
"""From file, environment and flags to settings, and where each value came from.

Flags win over the environment, that over the file. What is wrong anywhere is told at once, also of values
over which others win: whoever removes the other later would not expect it.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
from collections.abc import Iterator
from collections.abc import Mapping as Map
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import msgspec

from hauberk.agent.config.file import read_file
from hauberk.agent.config.settings import HOST_NAME_LABEL, Settings
from hauberk.agent.config.table import BY_KEY, FOREIGN, PREFIX, SETTINGS
from hauberk.errors import HauberkError
from hauberk.policy.document import Budget, DocumentError, Mapping, Node, read_documents
from hauberk.policy.faults import Fault, Report
from hauberk.policy.words import did_you_mean, shorten
from hauberk.rules.model import Posture

DEFAULT_FILE: Final = Path("/etc/hauberk/agent.yaml")
MAX_VALUES: Final = 10_000
"""Most values in the file."""
DEFAULT: Final = "default"
"""Where a value comes from that nobody set."""
_ALIKE: Final = 0.8
"""How similar a variable's name is to a setting's if that was meant."""


class SettingsError(HauberkError):
    """The settings have faults: all of them are in `faults`, each with its place."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        count = f"{len(faults)} faults" if len(faults) > 1 else "a fault"
        lines = "".join(f"\n  {fault}" for fault in faults)
        super().__init__(f"the agent's settings have {count}:{lines}")
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Row:
    """A setting's name, its value as the environment or a flag would have it, and where it came from."""

    key: str
    value: str
    origin: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings. `origins` says by key where a value was found: `FILE:LINE`, a variable, or a flag."""

    settings: Settings
    origins: Map[str, str]

    def rows(self) -> tuple[Row, ...]:
        """All settings, for people."""
        return tuple(
            Row(setting.key, setting.shown(self.settings), self.origins.get(setting.key, DEFAULT))
            for setting in SETTINGS
        )


def load(
    path: Path | None = None,
    environment: Map[str, str] = os.environ,
    flags: Map[str, str] | None = None,
) -> Loaded:
    """Read the settings.

    `path` has to be there, while `DEFAULT_FILE`, which is read without one, may be missing. `flags` has texts
    by key. Raises SettingsError.
    """
    loader = _Loader()
    loader.file(path or DEFAULT_FILE, required=path is not None)
    loader.environment(environment)
    for key, text in (flags or {}).items():
        loader.text(key, f"--{key}", text)
    return loader.finish()


class _Loader:
    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.values: dict[str, Any] = {}
        self.origins: dict[str, str] = {}

    def finish(self) -> Loaded:
        settings = _settings(self.values)
        labels = {HOST_NAME_LABEL: settings.node_name} | self.values.get("nodeLabels", {})
        if labels[HOST_NAME_LABEL] != settings.node_name:
            place = self.origins["nodeLabels"]
            self.faults.append(
                Fault(place, 0, 0, "", f"{HOST_NAME_LABEL} is not the node's name", "set `host` instead")
            )
        # Of values that are wrong themselves nothing more is to be said.
        if not self.faults and (fault := _exposed(settings)):
            self.faults.append(Fault(self.origins.get("gRPCAddress", "gRPCAddress"), 0, 0, "", *fault))
        if self.faults:
            raise SettingsError(tuple(str(fault) for fault in self.faults))
        return Loaded(msgspec.structs.replace(settings, node_labels=labels), self.origins)

    def text(self, key: str, place: str, text: str) -> None:
        """A value from outside of the file."""
        setting = BY_KEY[key]

        def complain(node: Node, message: str, hint: str) -> None:
            self.faults.append(Fault(place, 0, 0, "", message, hint))

        self.values[key] = setting.kind.read(setting.kind.node(text), complain)
        self.origins[key] = place

    def environment(self, environment: Map[str, str]) -> None:
        known: set[str] = set()
        for setting in SETTINGS:
            known.update(setting.variables)
            for name in reversed(setting.variables):
                # An empty variable is as good as none, as it is for KubeArmor.
                if environment.get(name):
                    self.text(setting.key, name, environment[name])
        own = [setting.key.upper() for setting in SETTINGS]
        for name in sorted(environment.keys() - known):
            # Other variables of this prefix are not the agent's, but a mistyped one must not go unnoticed.
            found = name.startswith(PREFIX) and difflib.get_close_matches(
                name.removeprefix(PREFIX), own, n=1, cutoff=_ALIKE
            )
            if found:
                hint = f"did you mean `{PREFIX}{found[0]}`?"
                self.faults.append(Fault(shorten(name), 0, 0, "", "there is no such setting", hint))

    def file(self, path: Path, *, required: bool) -> None:
        shown = shorten(str(path), 4096)
        report = Report(shown)

        def complain(node: Node, message: str, hint: str) -> None:
            report.fault(node.line, node.column, key, message, hint)

        try:
            data = read_file(path)
            for key, node, line in _entries(data, report) if data is not None else ():
                setting = BY_KEY.get(key)
                if setting is not None:
                    self.values[key] = setting.kind.read(node, complain)
                    self.origins[key] = f"{shown}:{line}"
        except DocumentError as error:
            report.fault(error.line, error.column, "", error.message, error.remedy)
        except HauberkError as error:
            report.fault(0, 0, "", error.message, error.remedy)
        else:
            if data is None and required:
                report.fault(0, 0, "", "there is no such file")
        report.finish()
        self.faults += report.faults


def _entries(data: bytes, report: Report) -> Iterator[tuple[str, Node, int]]:
    """Names, values and lines of the settings in a file. Names that are none are reported."""

    def complain(line: int, column: int, message: str, hint: str) -> None:
        report.fault(line, column, "", message, hint)

    documents = list(read_documents(data, complain, Budget(MAX_VALUES)))
    for further in documents[1:]:
        report.fault(further.line, further.column, "", "is a second document", "join it with the first one")
    for document in documents[:1]:
        if not isinstance(document, Mapping):
            report.fault(document.line, document.column, "", "has to be `NAME: VALUE` lines")
            continue
        for key, entry in document.entries.items():
            if key in FOREIGN:
                message = f"`{key}` is a setting of KubeArmor that this agent does not have"
                report.fault(entry.line, entry.column, "", message, "remove it")
            elif key not in BY_KEY:
                message = f"there is no setting `{shorten(key)}`"
                report.fault(entry.line, entry.column, "", message, did_you_mean(key, BY_KEY))
            yield key, entry.value, entry.line


def _exposed(settings: Settings) -> tuple[str, str] | None:
    """What is wrong with how gRPC is to be reached, and a hint."""
    is_plaintext = settings.grpc_compat == "plaintext"
    if settings.tls_enabled and is_plaintext:
        return "gRPCCompat `plaintext` and tlsEnabled exclude each other", "remove one of them"
    if not settings.grpc_port or settings.tls_enabled or is_plaintext:
        return None
    if ipaddress.ip_address(settings.grpc_address).is_loopback:
        return None
    return (
        f"{settings.grpc_address} can be reached by other machines, and gRPC is not encrypted",
        "set tlsEnabled, and run `hauberk certificates`; or gRPCCompat to `plaintext`, which serves alerts "
        "and logs, and nothing else, to everybody",
    )


def _settings(values: Map[str, Any]) -> Settings:
    """Settings in which `values`, by key, replace the defaults."""
    settings = Settings()
    for key, value in values.items():
        outer, _, inner = BY_KEY[key].attribute.partition(".")
        if inner:
            # Those that have parts are postures.
            whole: Any = getattr(settings, outer)
            value = replace(whole, **{inner: Posture(value)})
        settings = msgspec.structs.replace(settings, **{outer: value})
    return settings
