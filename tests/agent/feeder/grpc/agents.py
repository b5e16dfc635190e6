# SPDX-License-Identifier: Apache-2.0
"""An agent's own socket, with its policies read and kept as the agent does it, and nothing enforced.

The socket, the messages, the reading of policies and what is said of them are the agent's; only the engine is
missing, and with it how a policy stands for a workload.
"""

import select
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from hauberk.agent.compiler.client import Compiler
from hauberk.agent.compiler.jobs import Source
from hauberk.agent.control.messages import (
    AgentStatus,
    Apply,
    AskStatus,
    Delete,
    Failure,
    ListPolicies,
    Policies,
    PolicyInfo,
    PolicyRef,
    Reply,
    Request,
    WorkloadStatus,
)
from hauberk.agent.control.peer import Peer
from hauberk.agent.control.server import ControlServer
from hauberk.agent.policies.store import PolicyStore


class AgentWithoutEngine:
    """Answers at `socket` until it is left."""

    def __init__(self, directory: Path) -> None:
        self.socket = directory / "run" / "agent.sock"
        self.store = PolicyStore(directory / "state")
        self.compiler = Compiler(())
        self._server = ControlServer(self.socket, "", self._answer)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._ending.set()
        self._thread.join()
        self._server.close()
        self.compiler.close()

    @property
    def refs(self) -> list[PolicyRef]:
        return [entry.ref for entry in self.store.entries()]

    def _serve(self) -> None:
        while not self._ending.is_set():
            if select.select([self._server], [], [], 0.05)[0]:
                self._server.on_ready()

    def _answer(self, request: Request, peer: Peer) -> Reply:
        match request:
            case Apply():
                return self._apply(request)
            case Delete(refs):
                self.store.delete(refs)
                return Policies(tuple(PolicyInfo(ref, "deleted") for ref in refs))
            case ListPolicies():
                return Policies(tuple(map(PolicyInfo, self.refs)))
            case AskStatus():
                return self._status()
            case _:
                return Failure("not in these tests")

    def _apply(self, request: Apply) -> Reply:
        checked = self.compiler.check([Source(each.name, each.text) for each in request.documents])
        if checked.faults:
            return Failure("the policies have faults", faults=checked.faults)
        known = set(self.refs)
        self.store.apply([(policy, "test") for policy in checked.policies], forced=False)
        return Policies(
            tuple(
                PolicyInfo(each.ref, "changed" if each.ref in known else "created")
                for each in checked.policies
            )
        )

    def _status(self) -> AgentStatus:
        containers = tuple((ref, "enforced", ()) for ref in self.refs if ref.namespace)
        hosts = tuple((ref, "enforced", ()) for ref in self.refs if not ref.namespace)
        return AgentStatus(
            version="test",
            pid=1,
            node="node",
            kernel="none",
            enforcer="none",
            since=0.0,
            on_agent_loss="refuse",
            workloads=(
                WorkloadStatus(
                    name="web", kind="container", namespace="container_namespace", policies=containers
                ),
                WorkloadStatus(name="host", kind="host", namespace="", policies=hosts),
            ),
        )
