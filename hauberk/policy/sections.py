# SPDX-License-Identifier: Apache-2.0
"""The sections of a policy that hold rules: process, file, network, capabilities.

The models hold what was written, checked but not interpreted: an action that is `None` is inherited later, a
comma list is one string. Every rule knows the line it begins on and its place in the document. Instances are
frozen and have no dictionary: files with tens of thousands of rules are usual.
"""

from __future__ import annotations

from dataclasses import field
from typing import Annotated, Any, ClassVar, Final, Protocol, Self

from pydantic import ConfigDict, Field, ModelWrapValidatorHandler, ValidationInfo, model_validator
from pydantic.alias_generators import to_camel
from pydantic.dataclasses import dataclass

from hauberk.policy.fields import (
    MAX_ALLOWED_ARGUMENTS,
    ActionField,
    CapabilityField,
    DirectoryField,
    DomainField,
    ExecName,
    Flag,
    PathField,
    PatternField,
    ProtocolField,
    Severity,
    SourcePath,
    Text,
    refuse,
    split_list,
)

CONFIG: Final = ConfigDict(
    extra="forbid", alias_generator=to_camel, validate_by_name=True, validate_by_alias=True
)


class Reading(Protocol):
    """The context of validation while a file is read: it follows which mapping is being validated."""

    def enter(self, value: Any) -> None:
        """A model is about to be validated from `value`."""

    def leave(self, value: Any, model: Any) -> None:
        """The model of `value` is finished. It may be noted in it where it was written."""

    def refused(self, value: Any, error: Exception) -> Exception:
        """`value` is no valid model; returns what to raise instead of `error`."""


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Element:
    """Any mapping of a policy document."""

    absent: ClassVar[frozenset[str]] = frozenset()
    """Names of inherited attributes that this kind of mapping does not have in a document."""

    @model_validator(mode="wrap")
    @classmethod
    def _follow(cls, value: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo) -> Self:
        if info.context is None:
            return handler(value)
        reading: Reading = info.context
        reading.enter(value)
        try:
            model = handler(value)
        except ValueError as error:
            raise reading.refused(value, error) from None
        reading.leave(value, model)
        return model


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Inherited(Element):
    """The fields that a rule takes from its section, and a section from its policy, where it has none."""

    severity: Severity | None = None
    tags: tuple[Text, ...] = ()
    message: Text = ""
    action: ActionField | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Rule(Inherited):
    """One entry of a section's list."""

    line: int = field(default=0, init=False, compare=False)
    """Line of the file on which the entry begins; 0 if it came from no file."""
    where: str = field(default="", init=False, compare=False)
    """Place in the document, such as `spec.process.matchPaths[0]`."""


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Source(Element):
    """One program of a `fromSource` list. Without a path it stands for every program, as in KubeArmor."""

    path: SourcePath | None = None


def _sources(from_source: tuple[Source, ...]) -> tuple[str, ...]:
    if not from_source:
        return ()
    paths = tuple(source.path for source in from_source if source.path is not None)
    return paths if len(paths) == len(from_source) else ()


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class SourcedRule(Rule):
    """A rule that can be limited to programs."""

    from_source: tuple[Source, ...] = ()

    @property
    def sources(self) -> tuple[str, ...]:
        """The programs that the rule is limited to; empty if it speaks of every program."""
        return _sources(self.from_source)


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class ProcessPath(SourcedRule):
    """A program by its path or by its name; with both, the name counts."""

    path: PathField | None = None
    execname: ExecName | None = None
    owner_only: Flag = False
    pts: Flag | None = None
    allowed_args: Annotated[tuple[Text, ...], Field(max_length=MAX_ALLOWED_ARGUMENTS)] = ()

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if self.path is None and self.execname is None:
            raise refuse("the rule names no program", "give it a `path` or an `execname`")
        return self


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class ProcessDirectory(SourcedRule):
    """The programs of a directory. `dir` always ends with a slash."""

    dir: DirectoryField
    recursive: Flag = False
    owner_only: Flag = False
    pts: Flag | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class ProcessPattern(Rule):
    """The programs whose path matches a glob."""

    pattern: PatternField
    owner_only: Flag = False


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class FilePath(SourcedRule):
    """One file."""

    path: PathField
    read_only: Flag = False
    owner_only: Flag = False
    pts: Flag | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class FileDirectory(SourcedRule):
    """A directory and its files. `dir` always ends with a slash."""

    dir: DirectoryField
    recursive: Flag = False
    read_only: Flag = False
    owner_only: Flag = False
    pts: Flag | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class FilePattern(Rule):
    """The files whose path matches a glob."""

    pattern: PatternField
    read_only: Flag = False
    owner_only: Flag = False


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Process(Inherited):
    """The process section: what may be executed."""

    match_paths: tuple[ProcessPath, ...] = ()
    match_directories: tuple[ProcessDirectory, ...] = ()
    match_patterns: tuple[ProcessPattern, ...] = ()

    @property
    def rules(self) -> tuple[ProcessPath | ProcessDirectory | ProcessPattern, ...]:
        """All rules of the section, in the order of the fields."""
        return (*self.match_paths, *self.match_directories, *self.match_patterns)


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class File(Inherited):
    """The file section: what may be read and written."""

    match_paths: tuple[FilePath, ...] = ()
    match_directories: tuple[FileDirectory, ...] = ()
    match_patterns: tuple[FilePattern, ...] = ()

    @property
    def rules(self) -> tuple[FilePath | FileDirectory | FilePattern, ...]:
        """All rules of the section, in the order of the fields."""
        return (*self.match_paths, *self.match_directories, *self.match_patterns)


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class ProtocolRule(SourcedRule):
    """Network protocols or socket types, one or a comma list."""

    protocol: ProtocolField
    pts: Flag | None = None

    @property
    def protocols(self) -> tuple[str, ...]:
        """The protocols, each in lower case."""
        return tuple(name.lower() for name in split_list(self.protocol))


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class HostProtocolRule(ProtocolRule):
    """A protocol rule of a host policy, where `pts` cannot be written."""

    absent: ClassVar[frozenset[str]] = frozenset({"pts"})


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class DnsRule(SourcedRule):
    """Names asked of the DNS, one or a comma list."""

    domain: DomainField

    @property
    def domains(self) -> tuple[str, ...]:
        """The domains, one by one."""
        return split_list(self.domain)


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class CapabilityRule(SourcedRule):
    """Capabilities, one or a comma list."""

    capability: CapabilityField

    @property
    def capabilities(self) -> tuple[str, ...]:
        """The capabilities' names, each in lower case and without `cap_`."""
        return tuple(name.lower().removeprefix("cap_") for name in split_list(self.capability))


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Network(Inherited):
    """The network section of a container or cluster policy."""

    match_protocols: tuple[ProtocolRule, ...] = ()
    match_dns_queries: Annotated[tuple[DnsRule, ...], Field(validation_alias="matchDNSQueries")] = ()


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class HostNetwork(Inherited):
    """The network section of a host policy."""

    match_protocols: tuple[HostProtocolRule, ...] = ()
    match_dns_queries: Annotated[tuple[DnsRule, ...], Field(validation_alias="matchDNSQueries")] = ()


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Capabilities(Inherited):
    """The capabilities section."""

    match_capabilities: tuple[CapabilityRule, ...] = ()
