# SPDX-License-Identifier: Apache-2.0
"""`policy.PolicyService`: policies for a node that no cluster manages, in KubeArmor's form.

The agent decides about them, as about those of `hauberk policy apply`: what it refuses is `Invalid` here, and
the reasons are in the answer's trailing metadata, which KubeArmor has nothing like.
"""

import asyncio
from typing import Any, Final

import msgspec

from hauberk.agent.control.client import AgentError, ask
from hauberk.agent.control.messages import Apply, Delete, Document, ListPolicies, PolicyRef
from hauberk.agent.feeder.grpc.rpc import Answer, Answers, Context
from hauberk.agent.feeder.wire import Feeding
from hauberk.api import policy_pb2 as api
from hauberk.workloads.containers.model import DEFAULT_NAMESPACE

SERVICE = api.DESCRIPTOR.services_by_name["PolicyService"]
CONTAINER: Final = "KubeArmorPolicy"
HOST: Final = "KubeArmorHostPolicy"
WHY: Final = "hauberk-why"
"""The key of the metadata that says why a policy is not in force."""
_KINDS: Final = {"containerPolicy": CONTAINER, "hostPolicy": HOST, "networkPolicy": "KubeArmorNetworkPolicy"}
_API_VERSION: Final = "security.kubearmor.com/v1"
_MAX_WHY: Final = 1000
_SOURCE: Final = "policy over gRPC"


class Metadata(msgspec.Struct):
    """What counts of a policy's metadata; the rest is a cluster's affair."""

    name: str = ""
    namespace: str = ""


class Policy(msgspec.Struct):
    """A policy, whose kind the method says."""

    metadata: Metadata = msgspec.field(default_factory=Metadata)
    spec: dict[str, Any] = {}


class Event(msgspec.Struct):
    """What a client sends."""

    type: str
    object: Policy


class PolicyService:
    """The service. `enabled` are the kinds that bind anything."""

    def __init__(self, feeding: Feeding, enabled: tuple[str, ...]) -> None:
        self._socket = feeding.socket
        self._enabled = enabled
        # One after the other, in the order in which they come.
        self._turn = asyncio.Lock()

    @property
    def answers(self) -> Answers:
        """By method."""
        return {method: self._answer(kind) for method, kind in _KINDS.items()}

    def _answer(self, kind: str) -> Answer:
        async def answer(request: api.policy, context: Context) -> bytes:
            async with self._turn:
                status, why = await asyncio.to_thread(self.take, kind, request.policy)
            if why:
                text = " ".join(why.split()).encode("ascii", "backslashreplace").decode()
                context.set_trailing_metadata(((WHY, text[:_MAX_WHY]),))
            return api.response(status=status).SerializeToString()

        return answer

    def take(self, kind: str, data: bytes) -> tuple[api.PolicyStatus, str]:
        """Put a policy in force or remove it: what became of it, and why it is not in force. Waits."""
        try:
            event = msgspec.json.decode(data, type=Event)
        except (msgspec.DecodeError, RecursionError) as error:
            return api.Invalid, str(error)
        metadata = event.object.metadata
        if not metadata.name:
            return api.Invalid, "the policy has no name"
        if kind not in self._enabled:
            return api.NotEnabled, f"a {kind} binds nothing here"
        namespace = (metadata.namespace or DEFAULT_NAMESPACE) if kind == CONTAINER else ""
        ref = PolicyRef(kind, namespace, metadata.name)
        try:
            if event.type in ("ADDED", "MODIFIED"):
                return self._apply(ref, event.object.spec), ""
            if event.type == "DELETED":
                return self._delete(ref)
        except AgentError as error:
            status = api.Invalid if error.faults else api.Failure
            return status, "; ".join((*error.faults, str(error)))
        return api.Invalid, f"there is no type {event.type[:100]!r}: ADDED, MODIFIED or DELETED"

    def _apply(self, ref: PolicyRef, spec: dict[str, Any]) -> api.PolicyStatus:
        metadata = {"name": ref.name} | ({"namespace": ref.namespace} if ref.namespace else {})
        document = {
            "apiVersion": _API_VERSION,
            "kind": ref.kind,
            "metadata": metadata,
            "spec": without_blanks(spec),
        }
        # JSON is YAML, and this is how the agent reads all policies.
        text = msgspec.json.encode(document).decode()
        found = ask(Apply((Document(_SOURCE, text),)), self._socket)
        return api.Applied if found.policies[0].change == "created" else api.Modified

    def _delete(self, ref: PolicyRef) -> tuple[api.PolicyStatus, str]:
        known = ask(ListPolicies(), self._socket)
        if all(each.ref != ref for each in known.policies):
            return api.NotExist, f"there is no {ref}"
        ask(Delete((ref,)), self._socket)
        return api.Deleted, ""


def without_blanks(spec: dict[str, Any]) -> dict[str, Any]:
    """A spec without the fields that Go's programs send for what nobody has set: zeros and what is empty.

    Labels are left as they are: an empty value is one.
    """
    found = {}
    for key, value in spec.items():
        if key == "matchLabels":
            found[key] = value
            continue
        if isinstance(value, dict):
            value = without_blanks(value)
        elif isinstance(value, list):
            value = [without_blanks(each) if isinstance(each, dict) else each for each in value]
        if value is False or value not in (None, 0, "", [], {}):
            found[key] = value
    return found
