# SPDX-License-Identifier: Apache-2.0
"""CRI-O's record of a container: the annotations that it gives to the low-level runtime have everything."""

from typing import Final

from hauberk.workloads.containers.about import CONTAINER_NAME, POD_NAME, POD_NAMESPACE, About
from hauberk.workloads.containers.records import decode
from hauberk.workloads.containers.state import State

MANAGER: Final = ("io.container.manager", "cri-o")

_OWN: Final = "io.kubernetes.cri-o."


class Crio:
    """Reads annotations."""

    def version(self, state: State) -> None:
        """Annotations never change."""

    def describe(self, state: State) -> About:
        """Raises RecordError."""
        notes = state.annotations
        labels = decode(notes.get(f"{_OWN}Labels") or "{}", dict[str, str], f"annotation {_OWN}Labels")
        is_sandbox = notes.get(f"{_OWN}ContainerType") == "sandbox"
        return About(
            runtime="cri-o",
            name=notes.get(CONTAINER_NAME) or notes.get(f"{_OWN}Name") or state.id,
            labels=labels,
            image=notes.get(f"{_OWN}ImageName") or notes.get(f"{_OWN}Image", ""),
            image_digest=notes.get(f"{_OWN}ImageRef", ""),
            namespace=notes.get(POD_NAMESPACE) or notes.get(f"{_OWN}Namespace", ""),
            pod=notes.get(POD_NAME) or notes.get(f"{_OWN}KubeName", ""),
            is_sandbox=is_sandbox,
        )
