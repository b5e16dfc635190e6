# SPDX-License-Identifier: Apache-2.0
"""Policies as a user writes them, and a second, plain way from what is written to rules.

`text` gives the YAML that Hauberk reads. `rules` says what it has to come to: written from DESIGN section 4
and sharing nothing with the loader and the normalisation.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import yaml
from msgspec.structs import replace

from hauberk.automaton.patterns import Directory, Exact, Glob, Name
from hauberk.policy.fields import CAPABILITIES
from hauberk.rules.model import (
    Action,
    Alias,
    Capability,
    PolicyId,
    Postures,
    Protocol,
    Rule,
    RuleSet,
    Scope,
    Section,
    Target,
)

from .world import World

SCOPES = {
    "KubeArmorPolicy": Scope.NAMESPACE,
    "KubeArmorClusterPolicy": Scope.CLUSTER,
    "KubeArmorHostPolicy": Scope.HOST,
}
_LISTS = {
    "path": "matchPaths",
    "execname": "matchPaths",
    "dir": "matchDirectories",
    "pattern": "matchPatterns",
}
_ORDER = ("matchPaths", "matchDirectories", "matchPatterns", "matchProtocols", "matchCapabilities")
_SECTIONS = ("process", "file", "network", "capabilities")


@dataclass(frozen=True, slots=True)
class Written:
    """One entry of a list of a policy. `form` is the field that names the objects, `text` what is in it."""

    section: Section
    form: str
    text: str
    action: Action
    recursive: bool = False
    sources: tuple[str, ...] = ()
    owner: bool = False
    read: bool = False
    pts: bool | None = None

    @property
    def where(self) -> str:
        """The list that it stands in."""
        return (
            _LISTS.get(self.form)
            or {"protocol": "matchProtocols", "capability": "matchCapabilities"}[self.form]
        )

    @property
    def conditions(self) -> frozenset[str]:
        """What it is limited by, in the words of the issue."""
        named = (
            ("owner", self.owner),
            ("readOnly", self.read),
            ("pts", self.pts is False),
            ("fromSource", bool(self.sources)),
        )
        return frozenset(name for name, is_so in named if is_so) or frozenset({"none"})


@dataclass(frozen=True, slots=True)
class Document:
    """A policy. `default` is the action written at its top, `of_sections` those written in sections."""

    kind: str
    name: str
    entries: tuple[Written, ...]
    default: Action | None = None
    of_sections: tuple[tuple[Section, Action], ...] = ()

    @property
    def identity(self) -> PolicyId:
        return PolicyId(self.kind, "default" if self.kind == "KubeArmorPolicy" else "", self.name)

    def in_order(self) -> list[Written]:
        """The entries in the order in which their lists stand in a policy."""
        return sorted(self.entries, key=lambda entry: (entry.section, _ORDER.index(entry.where)))


def text(documents: Iterable[Document]) -> str:
    """The policies as YAML."""
    return yaml.safe_dump_all([_document(document) for document in documents], sort_keys=False)


def _document(document: Document) -> dict[str, Any]:
    spec: dict[str, Any] = {}
    if document.kind == "KubeArmorHostPolicy":
        spec["nodeSelector"] = {"matchLabels": {"kubearmor.io/hostname": "*"}}
    else:
        spec["selector"] = {}
    if document.default is not None:
        spec["action"] = document.default.value
    for section, action in document.of_sections:
        spec.setdefault(_SECTIONS[section], {})["action"] = action.value
    for entry in document.in_order():
        inherited = dict(document.of_sections).get(entry.section, document.default)
        section_ = spec.setdefault(_SECTIONS[entry.section], {})
        section_.setdefault(entry.where, []).append(_entry(entry, inherited or Action.BLOCK))
    metadata = {"name": document.name}
    if document.kind == "KubeArmorPolicy":
        metadata["namespace"] = "default"
    return {
        "apiVersion": "security.kubearmor.com/v1",
        "kind": document.kind,
        "metadata": metadata,
        "spec": spec,
    }


def _entry(entry: Written, inherited: Action) -> dict[str, Any]:
    fields: dict[str, Any] = {entry.form: entry.text + "/" * (entry.form == "dir" and entry.text != "/")}
    if entry.recursive:
        fields["recursive"] = True
    if entry.sources:
        fields["fromSource"] = [{"path": source} for source in entry.sources]
    if entry.owner:
        fields["ownerOnly"] = True
    if entry.read:
        fields["readOnly"] = True
    if entry.pts is not None:
        fields["pts"] = entry.pts
    if entry.action is not inherited:
        fields["action"] = entry.action.value
    return fields


def rules(documents: Sequence[Document], world: World, postures: Postures) -> RuleSet:
    """What the policies have to come to, without lines and without the base set."""
    found: list[Rule] = []
    aliases = [
        Alias(written, real)
        for document in documents
        for entry in document.entries
        for source in entry.sources
        for written, real in [_programs(source.encode(), world)]
        if written != real
    ]
    for document in documents:
        index = 0
        places: dict[str, int] = {}
        for entry in document.in_order():
            path = f"spec.{_SECTIONS[entry.section]}.{entry.where}"
            places[path] = places.get(path, -1) + 1
            where = f"{path}[{places[path]}]"
            sources = [alias for source in entry.sources for alias in _programs(source.encode(), world)]
            for element in _elements(entry, world):
                found += [
                    Rule(
                        policy=document.identity,
                        scope=SCOPES[document.kind],
                        index=index,
                        where=where,
                        line=0,
                        section=entry.section,
                        action=entry.action,
                        target=target,
                        sources=tuple(dict.fromkeys(sources)),
                        owner_only=entry.owner,
                        read_only=entry.read,
                        tty_only=entry.pts is False,
                    )
                    for target in element
                ]
                index += 1
    return RuleSet.of(found, postures, aliases)


def bare(rule_set: RuleSet) -> list[Rule]:
    """The rules but those of the base set, and without lines: what can be compared with `rules`."""
    return list(
        RuleSet.of((replace(r, line=0) for r in rule_set.rules if not r.base), rule_set.postures).rules
    )


def _elements(entry: Written, world: World) -> list[list[Target]]:
    """One list for each element of a comma list: the target under all its names."""
    written = entry.text.encode()
    match entry.form:
        case "protocol":
            return [[Protocol(name)] for name in entry.text.split(",")]
        case "capability":
            return [[Capability(CAPABILITIES.index(name))] for name in entry.text.split(",")]
        case "execname":
            return [[Name(written)]]
        case "path":
            return [[Exact(name) for name in _names(written, world)]]
        case "dir":
            return [[Directory(name, entry.recursive) for name in _names(written.rstrip(b"/"), world)]]
    cut = min(written.find(bytes((c,))) for c in b"*?[{" if bytes((c,)) in written)
    at = written.rfind(b"/", 0, cut)
    directory, rest = written[:at], written[at:]
    return [[Glob(name + rest) for name in dict.fromkeys((directory, world.resolve(directory)))]]


def _names(path: bytes, world: World) -> list[bytes]:
    """A path as written; with its directory resolved; with the last link resolved as well."""
    if not path:
        return [path]
    parent, _, last = path.rpartition(b"/")
    return list(dict.fromkeys((path, world.resolve(parent) + b"/" + last, world.resolve(path))))


def _programs(path: bytes, world: World) -> tuple[bytes, bytes]:
    return path, world.resolve(path)
