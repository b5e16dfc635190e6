# SPDX-License-Identifier: Apache-2.0
"""From policies as written to rules: inheritance, lists, paths and their aliases.

Each of severity, tags, message and action is the rule's own, else its section's, else the policy's; an
action that is written nowhere is Block. Rules about system calls are always Audit. A comma list becomes one
rule for each element.

A path that runs through symbolic links of the workload's root file system names an object that the
kernel calls otherwise. Such a rule also covers the real path, and the same path with only its
directories resolved (the link itself lives there): it becomes several rules with one `where`. The
resolver is passed in; this module touches no file system.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, TypeAlias

from hauberk.automaton.patterns import Directory, Exact, Glob, Name, Pattern
from hauberk.policy import models
from hauberk.policy.fields import CAPABILITIES
from hauberk.policy.sections import Inherited
from hauberk.rules.base import base_rules
from hauberk.rules.calling import call_targets
from hauberk.rules.guard import Guarded, guard_rules
from hauberk.rules.model import (
    Action,
    Alias,
    Capability,
    PolicyId,
    Postures,
    Protocol,
    Rule,
    RulesError,
    RuleSet,
    Scope,
    Section,
    Target,
)
from hauberk.rules.syscalls import Calls

Resolve: TypeAlias = Callable[[bytes], bytes]
"""A path without a slash at its end (the root is empty) to its real path in the workload's root file system.

What does not exist is resolved as far as it does; a path that runs through no link comes back unchanged.
"""


def enforceable(rule: models.Rule) -> bool:
    """Whether this version can enforce the rule at all.

    One that it cannot is left out of every rule set.
    """
    return not getattr(rule, "allowed_args", ())


def no_links(path: bytes) -> bytes:
    """The resolver of a file system without symbolic links."""
    return path


def rule_set(
    policies: Iterable[models.Policy],
    postures: Postures,
    *,
    resolve: Resolve = no_links,
    base_set: bool = True,
    guarded: Iterable[Guarded] = (),
    known: Iterable[Alias] = (),
) -> RuleSet:
    """The rules of `policies`, all of which bind one workload, and those that guard the engine's own.

    `known` are links that count whether `resolve` still finds them or not: the workload may have removed
    them.

    Raises PatternError for a glob that its real path makes too long.
    """
    names = _Names(resolve, known)
    rules: list[Rule] = []
    for policy in policies:
        rules += _rules_of(policy, names)
    if base_set:
        rules += base_rules(names.of_pattern)
    rules += guard_rules(guarded)
    return RuleSet.of(rules, postures, names.aliases)


class _Names:
    """Finds the other names of paths, and remembers which it found."""

    def __init__(self, resolve: Resolve, known: Iterable[Alias]) -> None:
        self._resolve = resolve
        self._known: dict[bytes, list[bytes]] = {}
        for alias in known:
            self._known.setdefault(alias.written, []).append(alias.real)
        self._seen: dict[bytes, tuple[bytes, ...]] = {}
        self.aliases: set[Alias] = set()

    def of_path(self, path: bytes) -> tuple[bytes, ...]:
        """`path` first, then its real names."""
        if not path.startswith(b"/"):
            return (path,)
        found = self._seen.get(path)
        if found is None:
            parent, _, last = path.rpartition(b"/")
            parent = self._resolve(parent) if parent else parent
            found = self._seen[path] = self._note(path, parent + b"/" + last, self._resolve(path))
        return found

    def of_programs(self, paths: Iterable[str]) -> tuple[bytes, ...]:
        """The programs as written and as the kernel will call them. A running program is never a link."""
        found: dict[bytes, None] = {}
        for path in paths:
            written = Exact(_bytes(path)).path
            real = self._resolve(written) if written.startswith(b"/") else written
            found.update(dict.fromkeys(self._note(written, real)))
        return tuple(found)

    def of_pattern(self, pattern: Pattern) -> tuple[Pattern, ...]:
        """`pattern` first, then the same along the real paths."""
        if isinstance(pattern, Exact):
            others = self.of_path(pattern.path)[1:]
            return (pattern, *map(Exact, others)) if others else (pattern,)
        match pattern:
            case Directory(path, recursive):
                return (pattern, *(Directory(name, recursive) for name in self.of_path(path)[1:]))
            case Glob(text):
                return self._of_glob(text)
            case Name(name):
                # What is executed from memory has a name and lies in no directory.
                return (pattern, Exact(name)) if name.startswith(b"memfd:") else (pattern,)

    def _of_glob(self, text: bytes) -> tuple[Glob, ...]:
        special = min((i for i in map(text.find, _GLOB_SPECIAL) if i >= 0), default=len(text))
        prefix, slash, rest = text[:special].rpartition(b"/")
        directory = Exact(prefix).path
        if not slash or not directory:
            return (Glob(text),)
        rest = slash + rest + text[special:]
        names = self._note(directory, self._resolve(directory))
        return (Glob(text), *(Glob(escape_glob(real) + rest) for real in names[1:]))

    def _note(self, path: bytes, *others: bytes) -> tuple[bytes, ...]:
        others = (*others, *self._known.get(path, ()))
        if others.count(path) == len(others):
            return (path,)
        # What /proc links to depends on who looks: no such path names one object.
        lasting = (other for other in others if not other.startswith(b"/proc/"))
        names = tuple(dict.fromkeys((path, *lasting)))
        self.aliases.update(Alias(path, name) for name in names[1:])
        return names


_GLOB_SPECIAL = (b"*", b"?", b"[", b"{", b"\\")


def escape_glob(path: bytes) -> bytes:
    """The glob that matches this path alone."""
    return b"".join(b"\\" + bytes((c,)) if c in b"*?[]{}\\" else bytes((c,)) for c in path)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def policy_id(policy: models.Policy) -> PolicyId:
    """What alerts and statuses call the policy."""
    return PolicyId(policy.kind, policy.namespace, policy.name)


def scope_of(policy: models.Policy) -> Scope:
    """How much the policy's kind covers."""
    match policy:
        case models.KubeArmorPolicy():
            return Scope.NAMESPACE
        case models.KubeArmorClusterPolicy():
            return Scope.CLUSTER
        case _:
            return Scope.HOST


def _rules_of(policy: models.Policy, names: _Names) -> Iterator[Rule]:
    if isinstance(policy, models.KubeArmorNetworkPolicy):
        return
    identity, scope, spec = policy_id(policy), scope_of(policy), policy.spec
    index = 0
    for section, group, rules in _groups(spec):
        action = _ACTIONS[group.action or spec.action or models.Action.BLOCK]
        severity = group.severity or spec.severity or 0
        tags = group.tags or spec.tags
        message = group.message or spec.message
        for written in rules:
            if not enforceable(written):
                continue
            own = getattr(written, "sources", ())
            sources = names.of_programs(own) if own else ()
            for target in _targets(written):
                forms: tuple[Target, ...]
                forms = (target,) if isinstance(target, _NOT_PATHS) else names.of_pattern(target)
                for form in forms:
                    yield Rule(
                        policy=identity,
                        scope=scope,
                        index=index,
                        where=written.where,
                        line=written.line,
                        section=section,
                        action=_ACTIONS[written.action] if written.action else action,
                        target=form,
                        sources=sources,
                        owner_only=getattr(written, "owner_only", False),
                        read_only=getattr(written, "read_only", False),
                        tty_only=getattr(written, "pts", None) is False,
                        severity=written.severity or severity,
                        tags=written.tags or tags,
                        message=written.message or message,
                    )
                index += 1
    syscalls = spec.syscalls
    if syscalls is None:
        return
    for calls, where, line in call_targets(syscalls, names.of_pattern):
        yield Rule(
            policy=identity,
            scope=scope,
            index=index,
            where=where,
            line=line,
            section=Section.SYSCALLS,
            action=Action.AUDIT,
            target=calls,
            severity=syscalls.severity or spec.severity or 0,
            tags=syscalls.tags or spec.tags,
            message=syscalls.message or spec.message,
        )
        index += 1


_ACTIONS: Final = {action: Action(action.value) for action in models.Action}
_NOT_PATHS: Final = (Protocol, Capability, Calls)


def _groups(spec: models.CommonSpec) -> Iterator[tuple[Section, Inherited, Sequence[models.Rule]]]:
    """The rules as written, by section. DNS rules are not enforced by this version."""
    yield Section.PROCESS, spec.process, spec.process.rules
    yield Section.FILE, spec.file, spec.file.rules
    assert isinstance(spec, models.ContainerSpec | models.ClusterSpec | models.HostSpec)
    yield Section.NETWORK, spec.network, spec.network.match_protocols
    yield Section.CAPABILITIES, spec.capabilities, spec.capabilities.match_capabilities


def _targets(rule: models.Rule) -> tuple[Target, ...]:
    if isinstance(rule, models.FilePath):
        return (Exact(_bytes(rule.path)),)
    match rule:
        case models.ProcessPath() if rule.execname is not None:
            return (Name(_bytes(rule.execname)),)
        case models.ProcessPath():
            return (Exact(_bytes(rule.path or "")),)
        case models.ProcessDirectory() | models.FileDirectory():
            return (Directory(_bytes(rule.dir), rule.recursive),)
        case models.ProcessPattern() | models.FilePattern():
            return (Glob(_bytes(rule.pattern)),)
        case models.ProtocolRule():
            return tuple(Protocol(name) for name in rule.protocols)
        case models.CapabilityRule():
            return tuple(Capability(CAPABILITIES.index(name)) for name in rule.capabilities)
        case _:
            raise RulesError(f"{rule.where}: a rule of an unknown kind")
