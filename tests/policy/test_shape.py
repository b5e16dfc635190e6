# SPDX-License-Identifier: Apache-2.0
"""Unknown fields and wrong forms are reported at their place, with what was probably meant."""

from collections.abc import Callable

import pytest

from hauberk.policy.faults import Fault
from hauberk.policy.load import Loaded, load_text

OneFault = Callable[..., Fault]
LoadSpec = Callable[..., Loaded]


@pytest.mark.parametrize(
    ("spec", "field", "place", "hint"),
    [
        ("proces: {}", "spec.proces", (5, 3), "did you mean `process`?"),
        ("process:\n  matchpaths: []", "spec.process.matchpaths", (6, 5), "did you mean `matchPaths`?"),
        (
            "file:\n  matchPaths:\n  - {path: /a, fromsource: []}",
            "spec.file.matchPaths[0].fromsource",
            (7, 18),
            "`fromSource`?",
        ),
        (
            "process: {matchPaths: [{path: /a, fromSource: [{pth: /b}]}]}",
            "spec.process.matchPaths[0].fromSource[0].pth",
            (5, 51),
            "did you mean `path`?",
        ),
        (
            "network: {matchDNSQuery: []}",
            "spec.network.matchDNSQuery",
            (5, 13),
            "did you mean `matchDNSQueries`?",
        ),
        ("xyzzy: 1", "spec.xyzzy", (5, 3), "fields here: severity, tags, message"),
    ],
)
def test_an_unknown_field_comes_with_the_nearest_one(
    spec: str, field: str, place: tuple[int, int], hint: str, one_fault: OneFault
) -> None:
    fault = one_fault(spec)
    assert fault.field == field
    assert (fault.line, fault.column) == place
    assert fault.message == f"there is no field `{field.rpartition('.')[2]}` here"
    assert hint in fault.hint


@pytest.mark.parametrize(
    ("spec", "kind", "hint"),
    [
        ("matchPaths: []", "KubeArmorPolicy", "`matchPaths` belongs in `spec.file` or `spec.process`"),
        (
            "process: {matchPaths: [{path: /a, readOnly: true}]}",
            "KubeArmorPolicy",
            "`readOnly` belongs in `spec.file.match",
        ),
        (
            "process: {matchPatterns: [{pattern: /a, fromSource: []}]}",
            "KubeArmorPolicy",
            "belongs in `spec.process.matchDirectories`",
        ),
        (
            "selector: {labels: {}}",
            "KubeArmorPolicy",
            "did you mean `matchLabels`? `labels` belongs in `metadata`",
        ),
        ("device: {}", "KubeArmorPolicy", "`device` is a field of KubeArmorHostPolicy"),
        (
            "{nodeSelector: {}, presets: []}",
            "KubeArmorHostPolicy",
            "`presets` is a field of KubeArmorPolicy and KubeArmorClusterPolicy",
        ),
        ("kind: x", "KubeArmorPolicy", "`kind` belongs in the document itself"),
        (
            "selector: {matchLabels: {}}",
            "KubeArmorClusterPolicy",
            "`matchLabels` is a field of KubeArmorPolicy",
        ),
        (
            "syscalls: {matchSyscalls: [{syscall: [open], action: Audit}]}",
            "KubeArmorPolicy",
            "`action` belongs in",
        ),
    ],
)
def test_a_field_that_exists_elsewhere_is_sent_there(
    spec: str, kind: str, hint: str, one_fault: OneFault
) -> None:
    assert hint in one_fault(spec, kind).hint


def test_pts_is_unknown_in_the_network_rules_of_a_host_policy(one_fault: OneFault) -> None:
    spec = "{nodeSelector: {}, network: {matchProtocols: [{protocol: tcp, pts: true}]}}"
    assert one_fault(spec, "KubeArmorHostPolicy").field == "spec.network.matchProtocols[0].pts"


@pytest.mark.parametrize(
    ("spec", "message", "hint"),
    [
        ("process: []", "must be a mapping, and this is a list", "NAME: VALUE"),
        ("process: /bin/x", "must be a mapping, and this is a single value", "NAME: VALUE"),
        (
            "file: {matchPaths: {path: /a}}",
            "must be a list, and this is a mapping",
            "begin each entry with `- `",
        ),
        ("file: {matchPaths: /a}", "must be a list, and this is a single value", "write `- path: /a`"),
        ("file: {matchPaths: [/a]}", "must be a mapping, and this is a single value", "write `path: /a`"),
        (
            "file: {matchDirectories: [/a/]}",
            "must be a mapping, and this is a single value",
            "write `dir: /a/`",
        ),
        ("tags: nist", "must be a list, and this is a single value", "write `[nist]`"),
        ("tags: [[a]]", "must be a single value, and this is a list", ""),
        ("message: {a: b}", "must be a single value, and this is a mapping", ""),
        ("selector: {matchLabels: [a=b]}", "must be a mapping of labels, and this is a list", ""),
        ("selector: {matchLabels: {a: [b]}}", "must be a single value, and this is a list", ""),
        ("selector: {matchLabels: {a: }}", "is empty", "write `''`"),
        ("tags: [a, ~]", "is empty", "write `''`"),
        ("file: {matchPaths: [{path: /a}, ~]}", "is empty", "remove it"),
    ],
)
def test_a_wrong_form_is_said_with_the_right_one(
    spec: str, message: str, hint: str, one_fault: OneFault
) -> None:
    fault = one_fault(spec)
    assert fault.message == message
    assert hint in fault.hint


@pytest.mark.parametrize(
    "spec",
    ["file:", "file: {matchPaths: }", "severity: ~", "selector: ", "tags:", "presets: null", "apparmor:"],
)
def test_a_field_without_a_value_is_as_good_as_absent(spec: str, load_spec: LoadSpec) -> None:
    loaded = load_spec(spec)
    assert loaded.faults == ()
    assert [warning.message for warning in loaded.warnings] == ["the policy has no rules, so it does nothing"]


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ("file: {matchPaths: [{path: }]}", "spec.file.matchPaths[0].path"),
        ("file: {matchPaths: [{}]}", "spec.file.matchPaths[0].path"),
        ("file: {matchDirectories: [{recursive: true}]}", "spec.file.matchDirectories[0].dir"),
        ("process: {matchPatterns: [{ownerOnly: true}]}", "spec.process.matchPatterns[0].pattern"),
        ("network: {matchProtocols: [{pts: true}]}", "spec.network.matchProtocols[0].protocol"),
        ("selector: {matchExpressions: [{key: label}]}", "spec.selector.matchExpressions[0].operator"),
    ],
)
def test_a_field_that_must_be_there_is_missed(spec: str, field: str, one_fault: OneFault) -> None:
    fault = one_fault(spec)
    assert (fault.field, fault.message, fault.line) == (field, "is missing", 5)


@pytest.mark.parametrize("value", ["", " []"])
def test_an_empty_source_list_is_no_limit_and_warned_about(value: str, load_spec: LoadSpec) -> None:
    loaded = load_spec(f"file:\n  matchPaths:\n  - path: /a\n    fromSource:{value}")
    (policy,) = loaded.policies
    assert policy.spec.file.match_paths[0].sources == ()
    (warning,) = loaded.warnings
    assert (warning.line, warning.field) == (8, "spec.file.matchPaths[0].fromSource")
    assert "speaks of every program" in warning.message


def test_what_kubernetes_adds_to_an_object_is_accepted() -> None:
    text = """
apiVersion: security.kubearmor.com/v1
kind: KubeArmorPolicy
metadata:
  name: a
  namespace: b
  uid: 0e5b
  generation: 1
  resourceVersion: "12"
  creationTimestamp: 2026-01-02T03:04:05Z
  labels: {x: z}
  annotations: {a: ""}
  ownerReferences: [{kind: X}]
  finalizers: [a]
  managedFields:
  - fieldsV1: {"f:spec": {"f:process": {".": {}, "f:matchPaths": {}}}}
    manager: kubectl
spec:
  process: {matchPaths: [{path: /a}]}
status:
  status: OK
"""
    loaded = load_text(text)
    assert (loaded.faults, loaded.warnings) == ((), ())
    (policy,) = loaded.policies
    assert (policy.name, policy.namespace, policy.metadata.labels) == ("a", "b", {"x": "z"})
    assert policy.metadata.annotations == {"a": ""}


def test_every_fault_of_a_document_is_reported_in_the_order_of_its_lines(load_spec: LoadSpec) -> None:
    loaded = load_spec(
        """
        proces: {}
        severity: 99
        file:
          matchPaths:
          - path: relative
            readOnly: maybe
          - path: /fine
          - {}
        network: {matchProtocols: [{protocol: tpc}]}
        action: Deny
        """
    )
    assert loaded.policies == ()
    assert [(fault.line, fault.field) for fault in loaded.faults] == [
        (5, "spec.proces"),
        (6, "spec.severity"),
        (9, "spec.file.matchPaths[0].path"),
        (10, "spec.file.matchPaths[0].readOnly"),
        (12, "spec.file.matchPaths[2].path"),
        (13, "spec.network.matchProtocols[0].protocol"),
        (14, "spec.action"),
    ]


def test_an_entry_of_a_wrong_form_does_not_move_the_places_of_the_others(load_spec: LoadSpec) -> None:
    loaded = load_spec("file: {matchPaths: [x, {path: y}]}")
    assert [fault.field for fault in loaded.faults] == [
        "spec.file.matchPaths[0]",
        "spec.file.matchPaths[1].path",
    ]
