# SPDX-License-Identifier: Apache-2.0
"""A record, its workload's identity and the rule that decided become an Alert or a Log.

How the values are chosen:

- An access that was refused, or permitted by an Audit rule or an audit posture, is an `Alert`; any other one
  that is reported (visibility) is a `Log`.
- For an exec, `ProcessName` is the path that was to run and `Resource` adds its arguments; `Source` and
  `ParentProcessName` are the program that called exec. For all other calls `ProcessName` and `Source` are the
  task's program and `ParentProcessName` its parent's.
- `PolicyName` is the policy's, or `DefaultPosture`, `UnknownObject` (an object without a name that rules
  could be compared with), `ProtectedPath` (a rename, link or mount that would carry a blocked path out from
  under its rule), `HauberkSelfProtection` (it would harm the enforcement), or `UnknownRule` (the record names
  a rule that is not known here, which is also counted).
- Of a system call that a rule names, `syscalls` says what is told. The kernel reports every such call of the
  workload; `resolve` finds the rule that is about it, or that none is.
- `Resource` joins arguments with spaces, as KubeArmor does; `Hauberk.Args` has them one by one. All text that
  a workload can choose is escaped (`text`).
- Arguments that look like secrets are masked (`mask`), in `Resource` and `Hauberk.Args`.
- `UserName` is there in KubeArmor's host types only, as KubeArmor has it.
- `UID` is an int32 for KubeArmor's clients: ids from 2**31 on come out negative, as from KubeArmor itself.
"""

from collections.abc import Sequence
from functools import lru_cache
from operator import methodcaller
from socket import SOCK_STREAM
from typing import Final

from msgspec.structs import replace as with_fields

from hauberk.events import activity, names, network, syscalls
from hauberk.events.alert import LOG_TYPES, Alert, ExecContext, Extras, Log
from hauberk.events.ancestry import ancestors
from hauberk.events.clock import Clock
from hauberk.events.identity import RuleIdentity, WorkloadIdentity
from hauberk.events.mask import Mask
from hauberk.events.record import CUT, NO_LOGIN, NO_OWNER, Call, Record
from hauberk.events.repeats import Repeat
from hauberk.events.text import encodable, escape
from hauberk.events.users import UserNames
from hauberk.rules.model import (
    GUARD,
    MOVE,
    NONE,
    POSTURE,
    SPECIAL_NAMES,
    SYSCALL,
    UNKNOWN,
    Rule,
    Section,
    Verdict,
)
from hauberk.rules.syscalls import find

ENFORCER: Final = "BPFLSM"
HOST_POLICY: Final = "KubeArmorHostPolicy"
UNRESOLVED_NAME: Final = "UnknownRule"
HOST_TYPES: Final = frozenset({"MatchedHostPolicy", LOG_TYPES[1]})
"""`Type` of what is told of the host."""

_POSTURES: Final = {
    Section.PROCESS: "file",
    Section.FILE: "file",
    Section.NETWORK: "network",
    Section.CAPABILITIES: "capabilities",
    Section.SYSCALLS: "",
}
_CALL_NAMES: Final = {call: call.name.lower() for call in Call}
_NOBODY: Final = WorkloadIdentity()
_TEMPLATES: Final = 8192
_INT32: Final = 1 << 31


_copy: Final = methodcaller("__copy__")
"""Half the time of `copy.copy`, which has to find that out each time."""
_escape_again: Final = lru_cache(maxsize=512)(escape)
"""For what is the same in many records: the programs, directories and terminals of a few tasks."""


@lru_cache(maxsize=512)
def _exec_context(comm: bytes) -> ExecContext:
    return ExecContext(ExecutableName=escape(comm))


class Translator:
    """Turns records into alerts and logs.

    It is told of every workload and of every rule table, and keeps a table until it is told to drop it:
    records that an older table decided may still be in the ring when a newer one is in force. `unresolved`
    counts the alerts whose rule or workload it had not been told of; they are made all the same.
    """

    def __init__(self, clock: Clock, mask: Mask | None = None, users: UserNames | None = None) -> None:
        """Without `mask` what `mask.DEFAULTS` has is masked; without `users` they are this machine's."""
        self.clock = clock
        self.mask = mask or Mask()
        self._users = users or UserNames()
        self._identities: dict[int, WorkloadIdentity] = {}
        self._rules: dict[tuple[int, int], Sequence[Rule | RuleIdentity]] = {}
        self._calls: dict[tuple[int, int], list[object]] = {}
        self._templates: dict[tuple[int, int, int, int, int, int], Alert | Log] = {}
        self.unresolved = 0

    def add_workload(self, workload: int, identity: WorkloadIdentity) -> None:
        """Say who the workload is; again, if that has changed."""
        self._identities[workload] = identity
        self._templates.clear()

    def add_rules(self, workload: int, generation: int, rules: Sequence[Rule | RuleIdentity]) -> None:
        """Say what the rule numbers in records of this workload and generation stand for."""
        self._rules[workload, generation] = rules
        self._calls.pop((workload, generation), None)
        self._templates.clear()

    def drop_rules(self, workload: int, generation: int) -> None:
        """Forget a table of which neither a record nor a count of repeats can come any more."""
        self._rules.pop((workload, generation), None)
        self._calls.pop((workload, generation), None)
        self._templates.clear()

    def drop_workload(self, workload: int) -> None:
        """Forget a workload that has ended, and its tables."""
        self._identities.pop(workload, None)
        self._rules = {key: rules for key, rules in self._rules.items() if key[0] != workload}
        self._calls = {key: calls for key, calls in self._calls.items() if key[0] != workload}
        self._templates.clear()

    def resolve(self, record: Record) -> Record | None:
        """The record of a system call with the rule that is about it, None if none is; any other as it is.

        As it is too if the rules are not known here: then nobody can tell.
        """
        if record.rule != SYSCALL:
            return record
        key = record.workload, record.generation
        rules = self._rules.get(key)
        if rules is None:
            return record
        calls = self._calls.get(key)
        if calls is None:
            calls = self._calls[key] = [
                rule.target if isinstance(rule, Rule) else rule.calls for rule in rules
            ]
        index = find(calls, record.detail[0], record.exe, syscalls.paths_of(record))
        return None if index is None else with_fields(record, rule=index)

    def translate(self, record: Record) -> Alert | Log:
        """The alert or log for an access. Not for `Call.ENDED` and `Call.EXECUTED`, which are none."""
        key = (
            record.workload, record.generation, record.rule, record.verdict, record.section, record.call
        )  # fmt: skip
        template = self._templates.get(key)
        if template is None:
            template = self._template(record)
            if len(self._templates) >= _TEMPLATES:
                self._templates.clear()
            self._templates[key] = template
        event: Alert | Log = _copy(template)
        extras: Extras = _copy(template.Hauberk)
        event.Hauberk = extras
        if isinstance(event, Alert) and event.PolicyName == UNRESOLVED_NAME:
            self.unresolved += 1

        event.Timestamp, event.UpdatedTime = self.clock.unix(record.time_ns)
        event.HostPID = record.tgid
        event.HostPPID = record.parent_tgid
        event.PID = record.ns_tgid
        event.PPID = record.ns_parent_tgid
        event.UID = record.uid if record.uid < _INT32 else record.uid - 2 * _INT32
        if event.Type in HOST_TYPES:
            event.UserName = self._users.of(record.uid)
        event.TTY = _escape_again(record.tty)
        event.Cwd = _escape_again(record.cwd)
        event.ExecEvent = _exec_context(record.comm)
        is_syscall = record.call == Call.SYSCALL
        seen_only = isinstance(event, Log) and record.call in activity.OPERATIONS
        if is_syscall:
            event.Data, event.EventData = syscalls.call_data(record.detail)
        elif seen_only:
            event.Data, event.EventData = activity.call_data(record.call, record.detail, record.text)
        elif record.call == Call.DNS:
            event.Data, event.Resource, event.EventData = network.query_data(
                record.text, record.address, record.detail[1] == SOCK_STREAM
            )
        elif record.address:
            event.Data, event.EventData = network.call_data(record.call, record.detail, record.address)
        else:
            event.Data, event.EventData = names.call_data(record.call, record.detail)
        if record.ancestry:
            extras.Ancestry = ancestors(record.ancestry)
        if record.flags & CUT:
            extras.AncestryTruncated = True
        if record.tid != record.tgid:
            extras.HostTID = record.tid
        if record.other:
            extras.Other = escape(record.other)
        if record.owner != NO_OWNER:
            extras.ObjectOwner = record.owner
        if record.login != NO_LOGIN:
            extras.LoginUID = record.login
        if record.session != NO_LOGIN:
            extras.SessionID = record.session

        exe = event.Source = _escape_again(record.exe)
        if record.call == Call.EXEC:
            event.ParentProcessName = exe
            extras.Parent = _escape_again(record.parent)
            event.ProcessName = event.Resource = escape(record.object)
            if record.args:
                event.Resource = _command(event.Resource, record.args, record.detail[0], extras, self.mask)
        else:
            event.ProcessName = exe
            event.ParentProcessName = _escape_again(record.parent)
            if is_syscall:
                _tell_call(event, record)
            elif seen_only:
                event.Resource = escape(record.object)
            elif record.call == Call.EXIT:
                event.Resource = exe
            elif record.call == Call.DNS:
                pass  # its resource came with its data
            elif Call.KILL <= record.call <= Call.WATCH:
                event.Resource = names.harm(record.call, record.detail)
            elif record.section <= Section.FILE:
                event.Resource = escape(record.object)
            elif record.section == Section.NETWORK:
                family, type_, protocol, _ = record.detail
                event.Resource = names.socket(family, type_, protocol)
            else:
                event.Resource = names.capability(record.detail[0])
        return event

    def repeats(self, repeat: Repeat, first: Record | None) -> Alert | Log:
        """The alert for what a slot counted: that of its first record, with their number and times."""
        event = self.translate(first or repeat.nameless())
        extras = event.Hauberk
        extras.Count = repeat.count
        _, extras.FirstTime = self.clock.unix(repeat.first_ns)
        event.Timestamp, event.UpdatedTime = self.clock.unix(repeat.last_ns)
        extras.LastTime = event.UpdatedTime
        if first is None:
            event.Resource = event.Data = ""
            event.EventData = {}
            event.ExecEvent = None
            extras.Reason = extras.Reason or "these repeat an earlier alert, which is not known here any more"
        return event

    def _template(self, record: Record) -> Alert | Log:
        """All that is the same for every record of this workload, rule, verdict and call."""
        identity = self._identities.get(record.workload, _NOBODY)
        event: Alert | Log
        if record.verdict in (Verdict.AUDIT, Verdict.REFUSE):
            event = Alert(PPID=0, UID=0, Hauberk=Extras())
            # as KubeArmor: such an alert is no enforcer's
            event.Enforcer = "" if record.section == Section.SYSCALLS else ENFORCER
            self._decide(event, record, is_host=identity.is_host)
        else:
            event = Log(PPID=0, UID=0, Hauberk=Extras())
            event.Type = LOG_TYPES[identity.is_host]
        event.Hauberk.Call = _CALL_NAMES[Call(record.call)]
        event.Operation = names.OPERATIONS[record.section]
        if isinstance(event, Log):
            event.Operation = activity.OPERATIONS.get(Call(record.call), event.Operation)
        event.Result = "Permission denied" if record.verdict == Verdict.REFUSE else "Passed"
        event.ClusterName = encodable(identity.cluster_name)
        event.HostName = encodable(identity.host_name)
        event.NodeID = encodable(identity.node_id)
        event.NamespaceName = encodable(identity.namespace)
        event.PodName = encodable(identity.pod_name)
        event.Labels = encodable(",".join(f"{key}={value}" for key, value in sorted(identity.labels.items())))
        event.ContainerID = encodable(identity.container_id)
        event.ContainerName = encodable(identity.container_name)
        event.ContainerImage = encodable(identity.container_image)
        event.Owner = identity.owner
        return event

    def _decide(self, alert: Alert, record: Record, *, is_host: bool) -> None:
        """Fill in which policy and rule decided, and how."""
        extras = alert.Hauberk
        alert.Type = "MatchedHostPolicy" if is_host else "MatchedPolicy"
        alert.Action = "Block" if record.verdict == Verdict.REFUSE else "Audit"
        section = Section(record.section)
        if record.rule == POSTURE:
            alert.PolicyName = SPECIAL_NAMES[POSTURE]
            posture = "block" if record.verdict == Verdict.REFUSE else "audit"
            extras.Reason = (
                f"no Allow rule in the {section.name.lower()} section permits it"
                f" and the {_POSTURES[section]} posture is {posture}"
            )
            return
        if record.rule == UNKNOWN:
            alert.PolicyName = SPECIAL_NAMES[UNKNOWN]
            extras.Reason = "the object has no name that rules could be compared with"
            return
        if record.rule == GUARD:
            alert.PolicyName = SPECIAL_NAMES[GUARD]
            extras.Reason = "it would harm the enforcement, whatever the policies say"
            return
        if record.rule == MOVE:
            alert.PolicyName = SPECIAL_NAMES[MOVE]
            extras.Reason = "it would carry a path that a Block rule protects out from under that rule"
            return
        rules = self._rules.get((record.workload, record.generation))
        if rules is None or record.rule >= len(rules):
            alert.PolicyName = UNRESOLVED_NAME
            rule = (
                "the record names no rule" if record.rule == NONE else f"rule {record.rule} is not known here"
            )
            extras.Reason = f"{rule} (table {record.generation} of workload {record.workload})"
            return
        _name_rule(alert, extras, rules[record.rule])


def _tell_call(event: Alert | Log, record: Record) -> None:
    """Fill in what is told of a system call only."""
    extras = event.Hauberk
    event.Result = syscalls.result(record.detail)
    paths = syscalls.paths_of(record)
    if None in paths:
        extras.Reason = syscalls.UNREAD_REASON
    event.Resource = escape((paths[0] if paths else b"") or b"")
    if len(paths) > 1:
        extras.Other = escape(paths[1] or b"")


def _name_rule(alert: Alert, extras: Extras, rule: Rule | RuleIdentity) -> None:
    alert.PolicyName = encodable(rule.policy.name)
    if rule.policy.kind == HOST_POLICY:
        alert.Type = "MatchedHostPolicy"
    if rule.severity:
        alert.Severity = str(rule.severity)
    alert.ATags = tuple(map(encodable, rule.tags))
    alert.Tags = ",".join(alert.ATags)
    alert.Message = encodable(rule.message)
    extras.Rule = rule.where
    extras.Line = rule.line
    extras.PolicyKind = rule.policy.kind
    extras.PolicyNamespace = encodable(rule.policy.namespace)


def _command(path: str, args: bytes, count: int, extras: Extras, mask: Mask) -> str:
    """The path and what follows argument 0; the arguments, each ended by a NUL, go to `extras` one by one.

    `count` is how many there were: those beyond what a record carries are not there.
    """
    words = args.split(b"\0")
    extras.ArgsTruncated = bool(words[-1]) or len(words) - 1 < count
    if not words[-1]:
        words.pop()
    arguments = extras.Args = mask.apply(tuple(map(escape, words)))
    command = [path, *arguments[1:]]
    if extras.ArgsTruncated:
        command.append("...")
    return " ".join(command)
