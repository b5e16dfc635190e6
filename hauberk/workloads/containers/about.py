# SPDX-License-Identifier: Apache-2.0
"""What a manager of containers (Docker, containerd, Podman, CRI-O) says of one: name, labels, image."""

import msgspec

from hauberk.workloads.containers.model import DEFAULT_NAMESPACE

POD_NAMESPACE = "io.kubernetes.pod.namespace"
POD_NAME = "io.kubernetes.pod.name"
CONTAINER_NAME = "io.kubernetes.container.name"

_NAMESPACE = "kubearmor.io/namespace"


class About(msgspec.Struct, frozen=True, kw_only=True):
    """A container in its manager's words. `namespace` is empty where labels are to say it."""

    runtime: str
    name: str
    labels: dict[str, str]
    image: str = ""
    image_digest: str = ""
    namespace: str = ""
    pod: str = ""
    is_sandbox: bool = False

    def where(self) -> str:
        """The namespace: the pod's, else that of the label `kubearmor.io/namespace`, else the default one."""
        return (
            self.namespace
            or self.labels.get(POD_NAMESPACE)
            or self.labels.get(_NAMESPACE)
            or DEFAULT_NAMESPACE
        )

    def identity(self) -> dict[str, str]:
        """The labels with those that KubeArmor adds to them, which no image can set."""
        added = {"namespaceName": self.where(), "kubearmor.io/container.name": self.name}
        if self.runtime == "podman":
            added["containerType"] = "podman"
        return {**self.labels, **added}
