# SPDX-License-Identifier: Apache-2.0
"""Who a workload is, in the words of alerts."""

from collections.abc import Mapping

import msgspec


class PodOwner(msgspec.Struct, frozen=True):
    """What made the pod: `Ref` is the kind (`Deployment`)."""

    Ref: str = ""
    Name: str = ""
    Namespace: str = ""


class WorkloadIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """Everything an alert says about the workload. What is not known stays empty and is left out.

    `is_host`: the workload is the host itself, so alerts are of KubeArmor's host types.
    """

    cluster_name: str = ""
    host_name: str = ""
    node_id: str = ""
    namespace: str = ""
    pod_name: str = ""
    labels: Mapping[str, str] = {}
    container_id: str = ""
    container_name: str = ""
    container_image: str = ""
    owner: PodOwner | None = None
    is_host: bool = False
