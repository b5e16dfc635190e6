# SPDX-License-Identifier: Apache-2.0
"""The `workload` of a scenario: which containers there are. It can be written in four forms:

- `containers`: by name, with labels; image and namespace are those of the workload.
- `pods`: by name, each with labels and its containers; steps call one `POD/CONTAINER`.
- `workloads`: by name, each with an image, a namespace and labels of its own.
- `container_name` alone: one container, as of plain Docker.
"""

import re
from typing import Final

from hauberk.policy.document import Mapping, Sequence
from hauberk.workbench.live.fields import Fields
from hauberk.workbench.live.scenario import Container
from hauberk.workloads.containers.model import DEFAULT_NAMESPACE

AFTER: Final = "after the policy"
"""What `created` says of a container that is started when the policies are in force."""

Annotations = dict[str, dict[str, str]]


class _Defaults:
    """What holds for every container that does not say otherwise."""

    def __init__(self, fields: Fields) -> None:
        self.image = fields.text("image", "debian")
        self.namespace = fields.text("namespace", DEFAULT_NAMESPACE)
        self.capabilities = fields.texts("cap_add")
        self.privileged = fields.flag("privileged")
        self.labels = {**fields.pairs("labels"), **fields.pairs("pod_labels")}
        self.command = fields.texts("command")


def read_containers(fields: Fields) -> tuple[tuple[Container, ...], Annotations]:
    """The containers, and the annotations of their namespaces."""
    defaults = _Defaults(fields)
    found: list[Container] = []
    if isinstance(fields.get("pods"), Sequence):
        fields.wrong("pods", "must be a mapping: sets of pods need Kubernetes")
    elif pods := fields.mapping("pods"):
        for pod, inner in pods.each():
            labels = {**defaults.labels, **inner.pairs("labels")}
            if containers := inner.mapping("containers"):
                for name, each in containers.each():
                    found.append(_container(each, defaults, f"{pod}/{name}", name, labels))
            inner.finish()
    if containers := fields.mapping("containers"):
        found += (
            _container(each, defaults, name, _full_name(name, defaults.image), defaults.labels)
            for name, each in containers.each()
        )
    if workloads := fields.mapping("workloads"):
        found += (_container(each, defaults, name, name, defaults.labels) for name, each in workloads.each())
    name = fields.text("container_name") or ("" if found else fields.text("container"))
    if name:
        nothing = Fields(Mapping({}, fields.line, 1), fields.faults)
        found.append(_container(nothing, defaults, name, name, defaults.labels))
    annotations = fields.pairs("namespace_annotations")
    fields.finish()
    return tuple(found), {each.namespace: dict(annotations) for each in found} if annotations else {}


_SETTINGS: Final = ("labels", "privileged", "cap_add", "image", "namespace", "command", "created", "name")


def _container(
    fields: Fields, defaults: _Defaults, target: str, name: str, labels: dict[str, str]
) -> Container:
    """One container. A mapping without any of the settings' names is one of labels."""
    if not any(key in _SETTINGS for key in fields.node.entries):
        return Container(
            target=target,
            name=name,
            namespace=defaults.namespace,
            image=defaults.image,
            labels={**labels, **fields.all_texts()},
            capabilities=defaults.capabilities,
            privileged=defaults.privileged,
            command=defaults.command,
        )
    created = fields.text("created")
    if created not in ("", AFTER):
        fields.wrong("created", f"must be `{AFTER}`, or left out")
    container = Container(
        target=target,
        name=fields.text("name", name),
        namespace=fields.text("namespace", defaults.namespace),
        image=fields.text("image", defaults.image),
        labels={**labels, **fields.pairs("labels")},
        capabilities=fields.texts("cap_add") or defaults.capabilities,
        privileged=fields.flag("privileged", defaults.privileged),
        command=fields.texts("command") or defaults.command,
        is_late=created == AFTER,
    )
    fields.finish()
    return container


def _full_name(name: str, image: str) -> str:
    """The containers of upstream's test image are named after their pods."""
    of_pod = image.startswith("multiubuntu") and re.fullmatch(r"ubuntu-[0-9]+", name)
    return f"{name}-container" if of_pod else name
