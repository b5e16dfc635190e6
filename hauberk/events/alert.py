# SPDX-License-Identifier: Apache-2.0
"""What users and KubeArmor's clients read: Alert and Log, field by field.

Keys, types and values are KubeArmor's; what is empty is left out, `UID` and `PPID` excepted, which its
clients expect. What Hauberk knows beyond that stands in one nested object, `Hauberk`, which those clients
ignore. `translate` says how the values are chosen.
"""

from typing import Final

import msgspec

from hauberk.events.ancestry import Ancestor
from hauberk.events.identity import PodOwner

LOG_TYPES: Final = ("ContainerLog", "HostLog")
"""`Type` of a Log; an Alert has others."""


class ExecContext(msgspec.Struct, frozen=True, gc=False):
    """KubeArmor's way to tell the session of a `kubectl exec`; `ExecID` 0 is none."""

    ExecID: str = "0"
    ExecutableName: str = ""


class Extras(msgspec.Struct, omit_defaults=True, gc=False, kw_only=True):
    """What Hauberk adds. Each is left out where it does not apply."""

    Rule: str = ""
    """Field path of the rule in its policy: `spec.file.matchPaths[0]`."""
    Line: int = 0
    """Line of the rule in its policy's file."""
    PolicyKind: str = ""
    PolicyNamespace: str = ""
    Reason: str = ""
    """In words, where no rule decided."""
    Call: str = ""
    """What the task did: `open`, `rename`, `connect`, ..."""
    Other: str = ""
    """The other end of a rename or link; the file system type of a mount."""
    Args: tuple[str, ...] = ()
    """All arguments of an exec, argument 0 included, one by one."""
    ArgsTruncated: bool = False
    """There were more than the record holds."""
    Parent: str = ""
    """For an exec: program of the parent of the task that called exec."""
    Ancestry: tuple[Ancestor, ...] = ()
    """What the task came of: the program that made its program, the one that made that, and so on."""
    AncestryTruncated: bool = False
    """There are more ancestors than are known, or than the record holds."""
    ObjectOwner: int | None = None
    """User id of the object's owner."""
    LoginUID: int | None = None
    """User id that logged in, whatever users the task has become since (audit's `auid`)."""
    SessionID: int | None = None
    """Number of that login (audit's `ses`)."""
    HostTID: int = 0
    """Thread id on the host, for a thread that is not its process's first."""
    Count: int = 1
    """How many accesses this alert stands for: all but in `PID` and the like equal to one told before."""
    FirstTime: str = ""
    """When the first of these was, if it stands for several."""
    LastTime: str = ""
    """When the last of these was."""


class _Event(msgspec.Struct, omit_defaults=True, gc=False, kw_only=True):
    Timestamp: int = 0
    UpdatedTime: str = ""
    ClusterName: str = ""
    HostName: str = ""
    NodeID: str = ""
    NamespaceName: str = ""
    Owner: PodOwner | None = None
    PodName: str = ""
    Labels: str = ""
    ContainerID: str = ""
    ContainerName: str = ""
    ContainerImage: str = ""
    HostPPID: int = 0
    HostPID: int = 0
    PPID: int
    PID: int = 0
    UID: int
    ParentProcessName: str = ""
    ProcessName: str = ""
    Type: str = ""
    Source: str = ""
    Operation: str = ""
    Resource: str = ""
    Data: str = ""
    EventData: dict[str, str] = {}
    Result: str = ""
    Cwd: str = ""
    TTY: str = ""
    ExecEvent: ExecContext | None = None
    ProcessHash: str = ""
    ParentHash: str = ""
    ResourceHash: str = ""
    HashAlgo: str = ""
    UserName: str = ""


class Log(_Event, kw_only=True):
    """An access that no alert is due for, reported because its section is visible."""

    Hauberk: Extras


class Alert(_Event, kw_only=True):
    """A refused or audited access, with the policy that says so."""

    PolicyName: str = ""
    Severity: str = ""
    Tags: str = ""
    ATags: tuple[str, ...] = ()
    Message: str = ""
    Enforcer: str = ""
    Action: str = ""
    MaxAlertsPerSec: int = 0
    """In a `SystemEvent` of operation `AlertThreshold`: see `throttle`."""
    DroppingAlertsInterval: int = 0
    Hauberk: Extras


_ALERTS: Final = msgspec.json.Decoder(Alert)
_LOGS: Final = msgspec.json.Decoder(Log)


def parse_event(line: bytes | str) -> Alert | Log:
    """Read back an event from its JSON. Raises `msgspec.DecodeError` if it is none."""
    event = _ALERTS.decode(line)
    return _LOGS.decode(line) if event.Type in LOG_TYPES else event
