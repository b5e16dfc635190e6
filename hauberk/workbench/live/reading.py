# SPDX-License-Identifier: Apache-2.0
"""From a file to scenarios. What is wrong with one makes it fail, with file, line and field, and no other."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from hauberk.policy.document import Mapping, Scalar
from hauberk.rules.model import Seen
from hauberk.workbench.live.containers import read_containers
from hauberk.workbench.live.fields import Faults, Fields, items_of
from hauberk.workbench.live.requirements import read_requirements
from hauberk.workbench.live.scenario import (
    ALL,
    HOST,
    SECTIONS,
    Container,
    Requirements,
    Scenario,
    ScenarioError,
    Step,
)
from hauberk.workbench.live.stepping import read_step

NEEDS: Final = ("container", "host", "ns-posture", "config-reload", "k8s", "engine-api", "in-process")
ELSEWHERE: Final = ("k8s", "engine-api", "in-process")
"""What is not about a workload on this machine; the steps of such scenarios have forms of their own."""

_POSTURES: Final = ("allow", "audit", "block")
_API_VERSION: Final = "security.kubearmor.com/v1"

_SEEN: Final = tuple(each.name.lower() for each in Seen)


def read_scenarios(paths: Iterable[Path]) -> list[Scenario]:
    """All scenarios of these files, in their order.

    Raises ScenarioError if a file cannot be read, or two scenarios have the same id.
    """
    found: list[Scenario] = []
    lines: dict[str, str] = {}
    for path in paths:
        for scenario in _read_file(path):
            place = f"{path}:{scenario.line}"
            if scenario.id in lines:
                raise ScenarioError(f"{place}: the id {scenario.id} is that of {lines[scenario.id]} too")
            lines[scenario.id] = place
            found.append(scenario)
    return found


def _read_file(path: Path) -> Iterable[Scenario]:
    complaints: list[tuple[int, str]] = []
    items = list(items_of(path, lambda line, column, message, hint: complaints.append((line, message))))
    for number, item in enumerate(items):
        end = items[number + 1].line if number + 1 < len(items) else None
        faults = Faults(str(path))
        for line, message in complaints:
            if item.line <= line and (end is None or line < end):
                faults.add(line, "", message)
        yield _read_scenario(Fields(item, faults), str(path))


def _read_scenario(fields: Fields, file: str) -> Scenario:
    faults = fields.faults
    id_ = fields.text("id")
    if not id_:
        faults.add(fields.line, "id", "is missing")
    needs = fields.text("needs", "container").split("+")
    for need in needs:
        if need not in NEEDS:
            fields.wrong("needs", f"`{need}` is none of {', '.join(NEEDS)}")
    for key in ("source", "what", "notes", "skip"):
        fields.get(key)  # For people; skip is about other engines.
    visible = _read_visible(fields)
    suite, differs = fields.text("suite"), fields.text("differs")
    policies = tuple(_document(each) for each in fields.mappings("policies"))
    common: dict[str, Any] = {
        **{"id": id_ or f"{file}:{fields.line}", "file": file, "line": fields.line, "suite": suite},
        **{"needs": "+".join(needs), "policies": policies, "differs": differs},
    }
    if any(need in ELSEWHERE for need in needs):
        return Scenario(**common)
    workload = fields.mapping("workload")
    containers, annotations = read_containers(workload) if workload else ((), {})
    postures = _read_postures(fields, containers, annotations)
    engine = fields.mapping("engine_config")
    requires = fields.mapping("requires")
    steps = tuple(_aimed(read_step(each), containers, faults) for each in fields.mappings("steps"))
    fields.finish()
    names = {ALL, *(str(policy["metadata"].get("name")) for policy in policies)}
    for step in steps:
        for name in {*step.apply, *step.delete} - names:
            faults.add(step.line, "apply", f"`{name}` is no policy of this scenario")
    return Scenario(
        **common,
        containers=containers,
        postures=postures,
        visible=visible,
        annotations={namespace: _sections(values) for namespace, values in annotations.items()},
        engine=engine.all_texts() if engine else {},
        requires=read_requirements(requires) if requires else Requirements(),
        steps=steps,
        fault="\n".join(faults.found),
    )


def _aimed(step: Step, containers: Iterable[Container], faults: Faults) -> Step:
    """The step, with the target that is meant: a container's name is enough where only one has it."""
    targets = [container.target for container in containers]
    if not step.argv or step.target in (*targets, HOST):
        return step
    last = step.target.rpartition("/")[2]
    same = [target for target in targets if target.rpartition("/")[2] == last]
    if len(same) == 1:
        return replace(step, target=same[0])
    faults.add(step.line, "target", f"`{step.target}` is none of {', '.join((*targets, HOST))}")
    return step


def _document(fields: Fields) -> dict[str, Any]:
    """A policy as a document. Kind, name, namespace and spec may stand on one level, as data about it."""
    given = {name: fields.plain(name) for name in fields.node.entries}
    if "metadata" not in given:
        metadata = {key: given.pop(key) for key in ("name", "namespace") if given.get(key) is not None}
        given["metadata"] = metadata
    return {"apiVersion": _API_VERSION, **given}


def _read_visible(fields: Fields) -> tuple[str, ...]:
    """What is to be seen. In another form it is about namespaces' annotations, which nothing here sets."""
    node = fields.get("visibility")
    if not isinstance(node, Scalar) or node.text == "none":
        return ()
    names = tuple(name.strip() for name in node.text.split(","))
    for name in names:
        if name not in _SEEN:
            fields.wrong("visibility", f"`{name}` is none of {', '.join(_SEEN)}", node)
    return names


def _read_postures(
    fields: Fields, containers: Iterable[Container], annotations: dict[str, dict[str, str]]
) -> dict[str, str]:
    """Postures by section. Annotations of namespaces that stand here go to the others."""
    key = "default_posture"
    found = fields.get(key)
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        return dict.fromkeys(SECTIONS, _posture(fields, key, fields.text(key)))
    inner = fields.mapping(key)
    assert inner is not None, "it is a mapping"
    for each in {container.namespace for container in containers}:
        annotations.setdefault(each, {}).update(inner.pairs("namespace_annotations"))
    postures = {
        section: _posture(inner, section, inner.text(section))
        for section in SECTIONS
        if inner.get(section) is not None
    }
    inner.finish()
    return postures


def _posture(fields: Fields, key: str, text: str) -> str:
    if text not in _POSTURES:
        fields.wrong(key, f"`{text}` is none of {', '.join(_POSTURES)}")
    return text


def _sections(annotations: dict[str, str]) -> dict[str, str]:
    """The postures among a namespace's annotations, by section."""
    return {
        section: annotations[f"kubearmor-{section}-posture"]
        for section in SECTIONS
        if f"kubearmor-{section}-posture" in annotations
    }
