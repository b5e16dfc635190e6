# SPDX-License-Identifier: Apache-2.0
"""`policy.ProbeService`: which policies bind which containers, and which the host (`karmor probe`)."""

import asyncio

import grpc

from hauberk.agent.control.client import AgentError, ask
from hauberk.agent.control.messages import AgentStatus, AskStatus
from hauberk.agent.feeder.grpc.rpc import Answers, Context
from hauberk.agent.feeder.wire import Feeding
from hauberk.api import policy_pb2 as api

SERVICE = api.DESCRIPTOR.services_by_name["ProbeService"]
_ENABLED = 1
"""KubeArmor's number for: policies bind it."""


class ProbeService:
    """The service, which asks the agent."""

    def __init__(self, feeding: Feeding) -> None:
        self._socket = feeding.socket

    @property
    def answers(self) -> Answers:
        """By method."""
        return {"getProbeData": self.get_probe_data}

    async def get_probe_data(self, request: object, context: Context) -> bytes:
        try:
            status = await asyncio.to_thread(ask, AskStatus(), self._socket)
        except AgentError as error:
            await context.abort(grpc.StatusCode.UNAVAILABLE, error.message)
        return probe_data(status).SerializeToString()


def probe_data(status: AgentStatus) -> api.ProbeResponse:
    """The agent's status in KubeArmor's form. Policies are told by name; services count as the host."""
    found = api.ProbeResponse()
    host = found.hostMap[status.node].policyList
    for workload in status.workloads:
        names = sorted({ref.name for ref, _, _ in workload.policies})
        if workload.kind == "container":
            found.containerList.append(workload.name)
            data = found.containerMap[workload.name]
            data.policyEnabled = _ENABLED
            data.policyList.extend(name for name in names if name not in data.policyList)
        else:
            host.extend(name for name in names if name not in host)
    return found
