# SPDX-License-Identifier: Apache-2.0
"""Which policies bind a workload, and where none does, which labels came nearest.

Every label and every expression of a selector has to hold. A container policy binds workloads of its
namespace, a cluster policy those of any namespace that its expressions leave, a host policy nodes. An empty
selector selects every workload of the namespace or cluster, but an empty `nodeSelector` no node.

Some labels are no labels of the workload. `kubearmor.io/container.name` picks containers: a list in brackets
names them, anything else is a regular expression for the whole name. The host name labels of a node take a
comma list, `*`, and with `hostnamereg` names with `*` in them.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partial

from hauberk.policy import models
from hauberk.rules.normalise import policy_id

CONTAINER_NAME = "kubearmor.io/container.name"
"""The label that picks containers by name."""

_HOST_NAMES = ("kubearmor.io/hostname", "kubernetes.io/hostname")
_HOST_PATTERNS = ("kubearmor.io/hostnamereg", "kubernetes.io/hostnamereg")


@dataclass(frozen=True, slots=True)
class Workload:
    """What selectors look at.

    `namespace` is None for what container and cluster policies cannot bind, `node` (a host name) None for
    what host policies cannot. `labels` are the workload's or the node's, `container` the container's name.
    """

    namespace: str | None = "default"
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    container: str = ""
    node: str | None = None


@dataclass(frozen=True, slots=True)
class Miss:
    """A condition of a selector that the workload does not meet.

    What it has instead is searched for when somebody asks: most misses are only counted.
    """

    wants: str
    find: Callable[[], str]

    @property
    def has(self) -> str:
        """What the workload has that comes nearest."""
        return self.find()

    def __str__(self) -> str:
        return f"wants {self.wants}, the workload has {self.has}"


@dataclass(frozen=True, slots=True)
class Selection:
    """What became of one policy's selector."""

    policy: models.Policy
    misses: tuple[Miss, ...]

    @property
    def selected(self) -> bool:
        """Whether the policy binds the workload."""
        return not self.misses

    def __str__(self) -> str:
        return f"{policy_id(self.policy)} {'; '.join(map(str, self.misses)) or 'selects the workload'}"


def select(policy: models.Policy, workload: Workload) -> Selection:
    """Whether `policy` binds `workload`, and what it misses if it does not."""
    return Selection(policy, tuple(_misses(policy, workload)))


def selects(policy: models.Policy, workload: Workload) -> bool:
    """The same, where nobody asks why: quick enough for every policy and every workload of a node."""
    return next(_misses(policy, workload), None) is None


def _misses(policy: models.Policy, workload: Workload) -> Iterator[Miss]:
    match policy:
        case models.KubeArmorPolicy():
            return _namespaced(policy, workload)
        case models.KubeArmorClusterPolicy():
            return _cluster(policy, workload)
        case models.KubeArmorHostPolicy():
            return _host(policy, workload)
        case models.KubeArmorNetworkPolicy():
            return iter((Miss("packets of a node", lambda: "processes"),))


def nearest(selections: Iterable[Selection]) -> Selection | None:
    """The selection that misses the least; None if there is none."""

    def distance(selection: Selection) -> tuple[int, float, str]:
        alike = sum(difflib.SequenceMatcher(None, miss.wants, miss.has).ratio() for miss in selection.misses)
        return (len(selection.misses), -alike, str(policy_id(selection.policy)))

    return min(selections, key=distance, default=None)


def unselected_message(selections: Iterable[Selection]) -> str:
    """What to tell the user when no policy binds the workload."""
    message = "none of these policies selects this workload"
    near = nearest(selections)
    return f"{message}; nearest: {near}" if near else message


def _namespaced(policy: models.KubeArmorPolicy, workload: Workload) -> Iterator[Miss]:
    yield from _in_namespace(workload, (policy.namespace,))
    selector = policy.spec.selector
    for key, value in selector.match_labels.items():
        if key == CONTAINER_NAME:
            yield from _container(value, workload)
        elif workload.labels.get(key) != value:
            yield Miss(f"{key}={value}", partial(_label_or_nearest, key, workload))
    for expression in selector.match_expressions:
        yield from _label_expression(expression, workload)


def _cluster(policy: models.KubeArmorClusterPolicy, workload: Workload) -> Iterator[Miss]:
    if workload.namespace is None:
        yield Miss("a namespace", lambda: "none")
        return
    for expression in policy.spec.selector.match_expressions:
        if expression.key == "label":
            yield from _label_expression(expression, workload)
        elif expression.operator == "In":
            yield from _in_namespace(workload, expression.values)
        elif (namespace := workload.namespace) in expression.values:
            yield Miss(f"a namespace other than {_any_of(expression.values)}", partial(str, namespace))


def _host(policy: models.KubeArmorHostPolicy, workload: Workload) -> Iterator[Miss]:
    labels = policy.spec.node_selector.match_labels
    node = workload.node
    if node is None:
        yield Miss("a node", lambda: "none: it is not the host")
        return
    if not labels:
        yield Miss("nothing (an empty nodeSelector selects no node)", partial(str, node))
    for key, value in labels.items():
        names = [name.strip() for name in value.split(",")]
        if key in _HOST_NAMES:
            found = any(name in ("*", node) for name in names)
        elif key in _HOST_PATTERNS:
            found = any(fnmatchcase(node, _only_stars(name)) for name in names)
        else:
            found = workload.labels.get(key) == value
            if not found:
                yield Miss(f"{key}={value}", partial(_label_or_nearest, key, workload))
            continue
        if not found:
            yield Miss(f"{key}={value}", partial("{}={}".format, key, node))


def _in_namespace(workload: Workload, namespaces: tuple[str, ...]) -> Iterator[Miss]:
    if workload.namespace not in namespaces:
        has = partial("namespace {}".format, workload.namespace or "none")
        yield Miss(f"namespace {_any_of(namespaces)}", has)


def _container(value: str, workload: Workload) -> Iterator[Miss]:
    if value.startswith("[") and value.endswith("]"):
        names = tuple(name.strip() for name in value[1:-1].split(",") if name.strip())
        found = not names or workload.container in names
    else:
        try:
            found = not value or re.fullmatch(value, workload.container) is not None
        except re.error:
            found = value == workload.container
    if not found:
        has = partial("container name {}".format, workload.container or "none")
        yield Miss(f"{CONTAINER_NAME}={value}", has)


def _label_expression(expression: models.LabelExpression, workload: Workload) -> Iterator[Miss]:
    present = tuple(value for value in expression.values if _has(workload, value))
    if expression.operator == "NotIn":
        if present:
            yield Miss(f"no label {present[0]}", partial(str, present[0]))
    elif not present:
        key = expression.values[0].partition("=")[0] if expression.values else ""
        yield Miss(_any_of(expression.values), partial(_label_or_nearest, key, workload))


def _has(workload: Workload, label: str) -> bool:
    key, _, value = label.partition("=")
    return workload.labels.get(key) == value


def _label_or_nearest(key: str, workload: Workload) -> str:
    """The workload's label of that name, else the one whose name is most alike, else all there are."""
    labels = workload.labels
    if key in labels:
        return f"{key}={labels[key]}"
    if close := difflib.get_close_matches(key, list(labels), n=1):
        return f"{close[0]}={labels[close[0]]}"
    return ", ".join(f"{name}={value}" for name, value in sorted(labels.items())) or "no labels"


def _any_of(values: tuple[str, ...]) -> str:
    return " or ".join(values) or "nothing"


def _only_stars(name: str) -> str:
    """A pattern for fnmatch in which nothing but `*` is special."""
    return name.replace("[", "[[]").replace("?", "[?]")
