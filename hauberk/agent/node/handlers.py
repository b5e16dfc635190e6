# SPDX-License-Identifier: Apache-2.0
"""What the agent answers to commands."""

import difflib
import os
import platform
import time
from collections.abc import Iterable, Iterator
from typing import Final

from hauberk import __version__
from hauberk.agent.compiler.jobs import CheckedPolicy, Source
from hauberk.agent.config.kinds import SECTIONS
from hauberk.agent.control import messages
from hauberk.agent.control.messages import (
    AgentStatus,
    Apply,
    AskStatus,
    Delete,
    Document,
    Explain,
    Explained,
    Failure,
    GetPolicy,
    ListPolicies,
    Policies,
    PolicyInfo,
    PolicyRef,
    PolicyText,
    Posture,
    Reply,
    Request,
    Visibility,
)
from hauberk.agent.control.peer import Peer
from hauberk.agent.node import telling
from hauberk.agent.node.member import Member
from hauberk.agent.node.node import Node
from hauberk.agent.policies.store import GLOBAL, Entry
from hauberk.errors import HauberkError
from hauberk.events.alert import parse_event

_SECTIONS: Final = ("file", "network", "capabilities")
_POSTURES: Final = ("allow", "audit", "block", "default")


class Handlers:
    """Answers for a node."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._since = time.time()

    def answer(self, request: Request, peer: Peer) -> Reply:
        """The answer to a question. Raises HauberkError."""
        match request:
            case Apply():
                return self._apply(request)
            case Delete():
                return self._delete(request)
            case ListPolicies():
                return Policies(tuple(map(self._info, self._node.store.entries())))
            case GetPolicy(ref):
                return self._get(ref)
            case AskStatus():
                return self._status()
            case Explain():
                return self._explain(request)
            case Posture():
                return self._posture(request)
            case Visibility():
                return self._visibility(request)

    def _apply(self, request: Apply) -> Reply:
        store = self._node.store
        found: list[tuple[CheckedPolicy, str]] = []
        faults: list[str] = []
        for document in request.documents:
            checked = self._node.check([Source(document.name, document.text)])
            faults += checked.faults
            found += [(policy, document.name) for policy in checked.policies]
        faults += _duplicates(policy.ref for policy, _ in found)
        if faults:
            return Failure("the policies have faults, and nothing has changed", faults=tuple(faults))
        if not found:
            return Failure("there is no policy in these documents")
        before = {policy.ref: store.get(policy.ref) for policy, _ in found}
        if not request.dry_run:
            store.apply(found, forced=request.force)
            self._node.rule()
        return Policies(
            tuple(
                self._changed(policy, source, before[policy.ref], request.dry_run) for policy, source in found
            )
        )

    def _changed(self, policy: CheckedPolicy, source: str, before: Entry | None, dry_run: bool) -> PolicyInfo:
        change = "created" if before is None else "unchanged"
        if before is not None and before.digest != policy.digest:
            change = "changed"
        old = before.text.splitlines(keepends=True) if before else []
        new = policy.text.splitlines(keepends=True)
        return PolicyInfo(
            policy.ref,
            change,
            origin=before.origin if before else "",
            workloads=() if dry_run else tuple(telling.standings(self._node, policy.ref)),
            warnings=policy.warnings,
            diff="".join(difflib.unified_diff(old, new, "in force", source)) if dry_run else "",
        )

    def _delete(self, request: Delete) -> Reply:
        refs = list(request.refs)
        for document in request.documents:
            checked = self._node.check([Source(document.name, document.text)])
            if checked.faults:
                return Failure("the policies have faults, and nothing has changed", faults=checked.faults)
            refs += [policy.ref for policy in checked.policies]
        named = [entry.ref for ref in refs for entry in self._matching(ref)]
        self._node.store.delete(named)
        self._node.rule()
        return Policies(tuple(PolicyInfo(ref, "deleted") for ref in named))

    def _matching(self, ref: PolicyRef) -> list[Entry]:
        """The policies of a name, whose kind and namespace may be left out. Raises HauberkError."""
        found = [entry for entry in self._node.store.entries() if _matches(ref, entry.ref)]
        if not found:
            raise HauberkError(
                f"there is no policy {ref.name}", "`hauberk policy list` shows those there are"
            )
        return found

    def _get(self, ref: PolicyRef) -> Reply:
        return PolicyText(tuple(Document(str(entry.ref), entry.text) for entry in self._matching(ref)))

    def _info(self, entry: Entry) -> PolicyInfo:
        workloads = tuple(telling.standings(self._node, entry.ref))
        return PolicyInfo(entry.ref, origin=entry.origin, workloads=workloads)

    def _status(self) -> Reply:
        node = self._node
        losses = node.losses()
        passed, refused = node.entrance.gate.counts() if node.entrance else (0, 0)
        return AgentStatus(
            version=__version__,
            pid=os.getpid(),
            node=node.settings.node_name,
            kernel=platform.release(),
            enforcer=node.engine.name,
            since=self._since,
            on_agent_loss=node.settings.on_agent_loss,
            placed_without_agent=passed,
            refused_without_agent=refused,
            policies=len(node.store.entries()),
            workloads=tuple(telling.workloads(node)),
            runtimes=tuple(telling.runtimes(node)),
            lost={cause: count for cause, count in losses.items() if count},
            counters=losses,
            room=telling.room(node),
            waited=node.entrance.gate.waited if node.entrance else None,
            findings=tuple(node.all_findings()),
            listening=node.feeder.told.listening if node.feeder else (),
            clients=node.feeder.told.clients if node.feeder else 0,
        )

    def _explain(self, request: Explain) -> Reply:
        member = self._subject(request)
        found = self._node.explain(member, request)
        return Explained(member.name, found)

    def _subject(self, request: Explain) -> Member:
        """The workload that is asked about. Raises HauberkError."""
        if not request.alert:
            return self._member(request.workload)
        try:
            event = parse_event(request.alert)
        except ValueError as error:
            raise HauberkError(f"this is no alert: {error}") from error
        if not event.ContainerID and not event.ContainerName:
            return self._member("host")
        return self._member(event.ContainerID or event.ContainerName)

    def _member(self, name: str) -> Member:
        found = self._node.members.find(name)
        if not found:
            raise HauberkError(f"there is no workload {name}", "`hauberk status` shows those there are")
        if len(found) > 1:
            names = ", ".join(each.container.id[:12] if each.container else each.kind for each in found)
            raise HauberkError(f"there are {len(found)} workloads {name}", f"name one by its id: {names}")
        return found[0]

    def _posture(self, request: Posture) -> Reply:
        if request.namespace and request.workload:
            return Failure("a posture is of a namespace or of a workload, not of both")
        for section, posture in request.sections.items():
            if section not in _SECTIONS or posture not in _POSTURES:
                return Failure(
                    f"{section}={posture} is not a posture",
                    f"sections: {', '.join(_SECTIONS)}; postures: {', '.join(_POSTURES)}",
                )
        if request.sections:
            self._node.store.set_postures(self._scope(request), dict(request.sections))
            self._node.rule()
        return messages.Postures(self._node.posture_scopes())

    def _scope(self, request: Posture | Visibility) -> str:
        if request.namespace:
            return f"namespace {request.namespace}"
        if request.workload:
            # By its name, so that it holds for the next container of that name too.
            known = self._node.members.find(request.workload)
            return f"workload {known[0].name if len(known) == 1 else request.workload}"
        return GLOBAL

    def _visibility(self, request: Visibility) -> Reply:
        if request.namespace and request.workload:
            return Failure("visibility is of a namespace or of a workload, not of both")
        sections = request.sections
        if sections is not None:
            undone = sections == ("default",)
            strange = () if undone else [name for name in sections if name not in SECTIONS]
            if strange:
                return Failure(f"there is no {strange[0]} to be seen", f"there are: {', '.join(SECTIONS)}")
            self._node.store.set_visibility(self._scope(request), None if undone else sections)
            self._node.rule()
        return messages.Visibilities(self._node.visibility_scopes())


def _matches(wanted: PolicyRef, ref: PolicyRef) -> bool:
    return (
        wanted.name == ref.name and wanted.kind in ("", ref.kind) and wanted.namespace in ("", ref.namespace)
    )


def _duplicates(refs: Iterable[PolicyRef]) -> Iterator[str]:
    seen: set[PolicyRef] = set()
    for ref in refs:
        if ref in seen:
            yield f"{ref} is given twice"
        seen.add(ref)
