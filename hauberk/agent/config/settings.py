# SPDX-License-Identifier: Apache-2.0
"""The agent's settings as values, with their defaults. `table` says how users name and write them.

Defaults are KubeArmor's where a setting is KubeArmor's, but for four. Host policies hold, as they do under
the file that comes with KubeArmor's packages for machines without Kubernetes: a policy that was applied
should not be without effect. Alerts go to standard output. Permitted accesses are not reported: that costs,
and who wants it asks for it. Certificates are looked for where no workload can touch them.
"""

from __future__ import annotations

import os
from typing import Final, Literal

import msgspec

from hauberk.agent.control.messages import SOCKET
from hauberk.rules.model import Postures, Seen

HOST_NAME_LABEL: Final = "kubearmor.io/hostname"
"""The label that every node has, its name."""

OnAgentLoss = Literal["run-last-known", "refuse"]


def host_name() -> str:
    """This machine's name."""
    return os.uname().nodename


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the agent is told. Paths are absolute.

    `alerts` is a path, `-` for standard output, or empty: nowhere. A file is rotated before it has more than
    `alerts_mib` MiB, 0: never; `alerts_files` old ones are kept. `socket_group` is empty if only root may
    ask the agent. `postures` are those of containers. `namespace_postures` has, by namespace, the postures of
    the sections (`file`, `network`, `capabilities`) that differ there; `namespace_visibility` in place of
    `visibility` what is reported there. `on_agent_loss` says what becomes of
    containers that start while there is no agent. `table_mib` is the room for the tables of all workloads,
    in MiB, `max_tasks` how many tasks can be confined at once. Containers in `untracked_namespaces` are
    under no policy. `base_set`: whether posture block leaves readable what every program needs. With
    `throttling` clients get at most `max_alerts` a second of a workload one by one, and after more what comes
    within `throttle_seconds` together. `metrics` is where these are served, as ADDRESS:PORT, or empty.
    `masks` are patterns of what is masked in arguments (`hauberk.events.mask`).
    `history_mib` is the room on disk for the last alerts and logs; 0: none are kept.
    A port of 0 is none. `grpc_compat` is `plaintext` or `none`.
    `also_to` are logs of this machine that have all events too. With `hashes` clients get hashes of
    programs and files.
    """

    socket: str = SOCKET
    socket_group: str = ""
    policies_directory: str = "/etc/hauberk/policies.d"
    state_directory: str = "/var/lib/hauberk"
    alerts: str = "-"
    alerts_mib: int = 0
    alerts_files: int = 5
    host_policy: bool = True
    container_policy: bool = True
    postures: Postures = Postures()
    host_postures: Postures = Postures()
    visibility: tuple[Seen, ...] = ()
    host_visibility: tuple[Seen, ...] = ()
    namespace_postures: dict[str, dict[str, str]] = {}
    namespace_visibility: dict[str, tuple[Seen, ...]] = {}
    on_agent_loss: OnAgentLoss = "run-last-known"
    node_name: str = msgspec.field(default_factory=host_name)
    node_labels: dict[str, str] = msgspec.field(default_factory=lambda: {HOST_NAME_LABEL: host_name()})
    cluster: str = "default"
    table_mib: int = 64
    max_tasks: int = 32768
    history_mib: int = 64
    base_set: bool = True
    untracked_namespaces: tuple[str, ...] = ("kube-system", "kubearmor")
    throttling: bool = True
    max_alerts: int = 10
    throttle_seconds: int = 30
    metrics: str = "127.0.0.1:32765"
    masks: tuple[str, ...] = ("default",)
    grpc_port: int = 32767
    grpc_health_port: int = 32766
    grpc_address: str = "127.0.0.1"
    grpc_compat: str = "none"
    tls_enabled: bool = False
    tls_directory: str = "/var/lib/hauberk/tls"
    also_to: tuple[str, ...] = ()
    hashes: bool = False
