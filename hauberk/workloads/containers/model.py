# SPDX-License-Identifier: Apache-2.0
"""What is known of a container."""

import msgspec

DEFAULT_NAMESPACE = "container_namespace"
"""Of containers that no orchestrator gave one, as in KubeArmor."""


class Container(msgspec.Struct, frozen=True, kw_only=True):
    """A container that has been created: its init process waits for its first instruction, or runs.

    `pid` and `started` (clock ticks since boot, field 22 of /proc/PID/stat) make it unique.
    """

    runtime: str
    """`docker`, `containerd`, `podman`, `cri-o`, or the low-level runtime if nothing more is known."""
    id: str
    name: str
    namespace: str = DEFAULT_NAMESPACE
    labels: dict[str, str] = {}
    """As selectors see them, with KubeArmor's own (`namespaceName`, `containerType`) where it has them."""
    image: str = ""
    image_digest: str = ""
    pod: str = ""
    is_sandbox: bool = False
    pid: int
    started: int
    waits: bool
    """Its init has not executed the container's program yet."""
    cgroup: str
    """Its directory, below /sys/fs/cgroup."""
    cgroup_id: int
    """The directory's inode number, by which the kernel knows it."""
    mount_namespace: int
    pid_namespace: int
    rootfs: str
    bundle: str = ""
    doubt: str = ""
    """Why its name, labels and image are not known: its manager has no record of it, say. Its place is known
    nevertheless. Empty if all is known."""


class Found(msgspec.Struct, frozen=True):
    """The outcome of a look at all runtimes' records."""

    containers: tuple[Container, ...]
    unknown: tuple[tuple[str, str], ...] = ()
    """Id and reason of what is there and of which not even the place can be told: the low-level runtime's
    record cannot be read, say. An id that an unprivileged user's runtime gave reads `user UID: ID`."""
