# SPDX-License-Identifier: Apache-2.0
"""What commands ask the agent and what it answers: one JSON object a line each way, one question a
connection."""

from typing import Final

import msgspec

from hauberk.events.histogram import Histogram

SOCKET: Final = "/run/hauberk-agent/agent.sock"
"""Not below /run/hauberk, which only root can enter: members of the agent's group come here too."""
MAX_REQUEST: Final = 8 << 20
"""Bytes of one question."""


class PolicyRef(msgspec.Struct, frozen=True, order=True):
    """A policy by what makes it unique. `namespace` is empty for kinds that have none."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


class Document(msgspec.Struct, frozen=True):
    """Text with policies in it, and the name by which faults in it are told."""

    name: str
    text: str


class Apply(msgspec.Struct, frozen=True, tag=True):
    """Put these policies in force, in place of those of the same names. Nothing changes if one has a fault.

    `dry_run`: say only what would change. `force`: host policies bind console sessions too.
    """

    documents: tuple[Document, ...]
    dry_run: bool = False
    force: bool = False


class Delete(msgspec.Struct, frozen=True, tag=True):
    """Remove policies, by name or those that documents name. Nothing changes if one does not exist."""

    refs: tuple[PolicyRef, ...] = ()
    documents: tuple[Document, ...] = ()


class ListPolicies(msgspec.Struct, frozen=True, tag=True):
    """All policies and how they stand."""


class GetPolicy(msgspec.Struct, frozen=True, tag=True):
    """The text of a policy. Empty fields of `ref` match anything."""

    ref: PolicyRef


class AskStatus(msgspec.Struct, frozen=True, tag=True):
    """Everything about the agent and its workloads."""


class Explain(msgspec.Struct, frozen=True, tag=True):
    """Which rule decides and why: of an alert (its JSON), or of accesses that a workload might make.

    `source` is the program that does it; empty: any that no `fromSource` names.
    """

    alert: str = ""
    workload: str = ""
    source: str = ""
    execs: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()


class Posture(msgspec.Struct, frozen=True, tag=True):
    """Change default postures, by section (`file`, `network`, `capabilities`) to `audit`, `block` or `allow`;
    `default` undoes it. Of a workload by its name or id, of a namespace, or of all. Nothing to change: show.
    """

    namespace: str = ""
    workload: str = ""
    sections: dict[str, str] = {}


class Visibility(msgspec.Struct, frozen=True, tag=True):
    """Change what is reported though it is permitted: the `sections` (`process`, `file`, `network`,
    `capabilities`, `dns`) in place of what was set; `default` alone undoes it, None shows. Of a workload by
    its name or id, of a namespace, or of all containers.
    """

    namespace: str = ""
    workload: str = ""
    sections: tuple[str, ...] | None = None


Request = Apply | Delete | ListPolicies | GetPolicy | AskStatus | Explain | Posture | Visibility


class Standing(msgspec.Struct, frozen=True):
    """How a policy stands for a workload: `enforced`, `degraded` or `rejected`, and why."""

    workload: str
    state: str
    reasons: tuple[str, ...] = ()


class PolicyInfo(msgspec.Struct, frozen=True):
    """A policy. `change`: `created`, `changed`, `unchanged`, `deleted`, or empty. `origin`: the file in the
    watched directory, or empty if it was applied. `diff`: a unified diff of its text, where asked for."""

    ref: PolicyRef
    change: str = ""
    origin: str = ""
    workloads: tuple[Standing, ...] = ()
    warnings: tuple[str, ...] = ()
    diff: str = ""


class Policies(msgspec.Struct, frozen=True, tag=True):
    """Answers Apply, Delete and ListPolicies."""

    policies: tuple[PolicyInfo, ...]


class PolicyText(msgspec.Struct, frozen=True, tag=True):
    """Answers GetPolicy."""

    texts: tuple[Document, ...]


class WorkloadStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A workload. `kind`: `container`, `host` or `unit`. `state`: the worst of its policies', `none` without
    any, `closed` if nothing can be executed in it. Counts are since the agent knows it."""

    name: str
    kind: str
    namespace: str
    id: str = ""
    runtime: str = ""
    image: str = ""
    labels: dict[str, str] = {}
    pid: int = 0
    tasks: int = 0
    state: str = "none"
    policies: tuple[tuple[PolicyRef, str, tuple[str, ...]], ...] = ()
    """Policy, state, reasons."""
    caveats: tuple[str, ...] = ()
    """What is degraded whatever the policies: started before enforcement, say."""
    postures: dict[str, str] = {}
    refused: int = 0
    audited: int = 0
    last_alert: str = ""
    """When, and of what, in a few words."""


class RuntimeStatus(msgspec.Struct, frozen=True):
    """A container runtime on this node. `path`: how its containers are caught before they begin (`gate`), or
    `none`. `program`: what the gate holds."""

    name: str
    path: str
    program: str = ""
    containers: int = 0
    findings: tuple[str, ...] = ()


class AgentStatus(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Answers AskStatus."""

    version: str
    pid: int
    node: str
    kernel: str
    enforcer: str
    since: float
    """When the agent was started, as Unix time."""
    on_agent_loss: str
    placed_without_agent: int = 0
    """Containers that started while no agent was there: under the last known policies, or refused."""
    refused_without_agent: int = 0
    policies: int = 0
    workloads: tuple[WorkloadStatus, ...] = ()
    runtimes: tuple[RuntimeStatus, ...] = ()
    lost: dict[str, int] = {}
    """Records and events that were lost, by cause; empty if none was."""
    counters: dict[str, int] = {}
    """The same with all causes there are."""
    room: dict[str, tuple[int, int]] = {}
    """How much is taken, and how much there is room for, of what there is a limit of."""
    waited: Histogram | None = None
    """How long starts waited at the gate that this agent let go on, or refused."""
    findings: tuple[str, ...] = ()
    """What is wrong with the agent, in words; empty if nothing is."""
    listening: tuple[str, ...] = ()
    """What clients can connect to, in words: `gRPC at 127.0.0.1:32767`."""
    clients: int = 0
    """Streams that clients have."""


class Explanation(msgspec.Struct, frozen=True):
    """What is decided about one access, and why, in words."""

    access: str
    verdict: str
    policy: str
    rule: str
    reason: str


class Explained(msgspec.Struct, frozen=True, tag=True):
    """Answers Explain."""

    workload: str
    explanations: tuple[Explanation, ...]


class Postures(msgspec.Struct, frozen=True, tag=True):
    """Answers Posture: those in force, by scope (`global`, `namespace NAME`, `workload NAME`) and section."""

    scopes: dict[str, dict[str, str]]


class Visibilities(msgspec.Struct, frozen=True, tag=True):
    """Answers Visibility: the sections that are reported, by scope as in Postures."""

    scopes: dict[str, tuple[str, ...]]


class Failure(msgspec.Struct, frozen=True, tag=True):
    """The question was refused or has a fault; nothing has changed. `faults`: each with file and line."""

    message: str
    remedy: str = ""
    faults: tuple[str, ...] = ()


Reply = Policies | PolicyText | AgentStatus | Explained | Postures | Visibilities | Failure
