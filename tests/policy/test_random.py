# SPDX-License-Identifier: Apache-2.0
"""Whatever the input is, it ends in policies or in faults with a place, never in a traceback."""

from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hauberk.policy.degraded import degradations
from hauberk.policy.load import Loaded, load_text

SAMPLE: dict[str, Any] = {
    "apiVersion": "security.kubearmor.com/v1",
    "kind": "KubeArmorPolicy",
    "metadata": {"name": "sample", "namespace": "shop", "labels": {"a": "b"}},
    "spec": {
        "severity": 5,
        "tags": ["a"],
        "message": "m",
        "action": "Block",
        "selector": {
            "matchLabels": {"app": "web"},
            "matchExpressions": [{"key": "label", "operator": "In", "values": ["a=b"]}],
        },
        "process": {
            "matchPaths": [{"path": "/a", "fromSource": [{"path": "/b"}], "allowedArgs": ["x"]}],
            "matchDirectories": [{"dir": "/a/", "recursive": True}],
            "matchPatterns": [{"pattern": "/a/*"}],
            "action": "Audit",
        },
        "file": {"matchPaths": [{"path": "/a", "readOnly": True, "ownerOnly": True, "pts": False}]},
        "network": {"matchProtocols": [{"protocol": "tcp,udp"}], "matchDNSQueries": [{"domain": "a.b"}]},
        "capabilities": {"matchCapabilities": [{"capability": "net_raw", "severity": 1}]},
        "syscalls": {"matchPaths": [{"path": "/a", "syscall": ["open"], "recursive": True}]},
        "presets": [{"name": "exec", "action": "Audit"}],
        "apparmor": "deny /x,",
    },
}
HOST_SPEC: dict[str, Any] = {
    "nodeSelector": {"matchLabels": {"a": "b"}},
    "device": {"matchDevice": [{"class": "HID", "level": 1}]},
    "network": {"matchProtocols": [{"protocol": "raw", "fromSource": [{"path": "/a"}]}]},
}
NETWORK_SPEC: dict[str, Any] = {
    "nodeSelector": {"matchLabels": {"a": "b"}},
    "egress": [
        {"to": [{"ipBlock": {"cidr": "::/0"}}], "ports": [{"port": "80", "endPort": 90}], "limit": "5M"}
    ],
}
SAMPLES = [
    SAMPLE,
    SAMPLE | {"kind": "KubeArmorHostPolicy", "metadata": {"name": "host"}, "spec": HOST_SPEC},
    SAMPLE | {"kind": "KubeArmorNetworkPolicy", "metadata": {"name": "net"}, "spec": NETWORK_SPEC},
    {"kind": "List", "items": [SAMPLE]},
]

WORDS = [
    "", "a", "/a", "/a/", "/", "tcp", "chown", "Block", "block", "In", "label", "yes", "5", "x=y", "/a[b",
    "/{a,b}*", "path", "dir", "spec", "fromSource", "matchPaths", "kind", "\0", "é", "<<",
    "KubeArmorHostPolicy",
]  # fmt: skip
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=3),
    max_leaves=6,
)


def sane(loaded: Loaded, text: str | bytes) -> None:
    """Assert what holds for every outcome."""
    assert loaded.policies or loaded.faults
    raw = text.encode() if isinstance(text, str) else text
    # libyaml has more kinds of line ends than an editor.
    lines = len(raw.decode("utf-8", "replace").replace("\r\n", "\n").splitlines()) + 1
    for fault in (*loaded.faults, *loaded.warnings):
        assert fault.message
        assert str(fault).isprintable()
        assert 0 <= fault.line <= lines
    for policy in loaded.policies:
        degradations(policy)
        repr(policy)


def _paths(value: Any, here: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    found = [here] if here else []
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in pairs:
        found += _paths(below, (*here, key))
    return found


def _mutated(value: Any, path: tuple[str | int, ...], change: tuple[str, Any]) -> Any:
    """A copy of `value` with a change at `path`."""
    if len(path) > 1:
        copy = dict(value) if isinstance(value, dict) else list(value)
        copy[path[0]] = _mutated(copy[path[0]], path[1:], change)
        return copy
    how, new = change
    if isinstance(value, list):
        copy = list(value)
        if how == "drop":
            del copy[path[0]]
        elif how == "rename":
            copy.append(new)
        else:
            copy[path[0]] = new
        return copy
    copy = dict(value)
    old = copy.pop(path[0])
    if how == "rename":
        copy[str(new)] = old
    elif how == "replace":
        copy[path[0]] = new
    return copy


@st.composite
def mutations(draw: st.DrawFn) -> str:
    document = draw(st.sampled_from(SAMPLES))
    for _ in range(draw(st.integers(1, 3))):
        paths = _paths(document)
        if not paths:
            break
        change = draw(st.tuples(st.sampled_from(["drop", "rename", "replace"]), values))
        document = _mutated(document, draw(st.sampled_from(paths)), change)
    text: str = yaml.dump(
        document, Dumper=yaml.CSafeDumper, default_flow_style=draw(st.sampled_from([True, False, None]))
    )
    return text


def test_the_samples_are_clean_themselves() -> None:
    for sample in SAMPLES:
        loaded = load_text(yaml.dump(sample, Dumper=yaml.CSafeDumper))
        assert [str(fault) for fault in (*loaded.faults, *loaded.warnings)] == []
        assert len(loaded.policies) == 1


@given(st.binary(max_size=300))
def test_random_bytes_end_in_a_fault(data: bytes) -> None:
    loaded = load_text(data)
    sane(loaded, data)
    assert loaded.faults


@given(st.text(st.sampled_from(" \n\t-:[]{},&*!|>'\"#%@`?~<ax/0\\\r\ufeff\u2028"), max_size=80))
def test_random_punctuation_ends_in_a_fault(text: str) -> None:
    sane(load_text(text), text)


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(mutations())
def test_a_mutated_policy_ends_in_policies_or_faults(text: str) -> None:
    sane(load_text(text), text)


@settings(max_examples=200)
@given(st.data())
def test_a_policy_with_damaged_text_ends_in_policies_or_faults(data: st.DataObject) -> None:
    text = yaml.dump(data.draw(st.sampled_from(SAMPLES)), Dumper=yaml.CSafeDumper).encode()
    at = data.draw(st.integers(0, len(text)))
    gone = data.draw(st.integers(0, 5))
    damaged = text[:at] + data.draw(st.binary(max_size=4)) + text[at + gone :]
    sane(load_text(damaged), damaged)


@pytest.mark.parametrize("sample", SAMPLES, ids=["policy", "host", "network", "list"])
@pytest.mark.parametrize("how", ["replace", "rename"])
def test_what_is_told_of_control_characters_has_none_wherever_they_are(
    sample: dict[str, Any], how: str
) -> None:
    for path in _paths(sample):
        text = yaml.dump(_mutated(sample, path, (how, "\x1b[2J\u202e")), Dumper=yaml.CSafeDumper)
        sane(load_text(text), text)


def test_what_is_told_of_a_tag_can_be_printed() -> None:
    for text in ("a: !!x%1B b", "a: !!x%1B [b]", "--- !<%1B[2J> {}"):
        sane(load_text(text), text)


@given(values)
def test_any_value_in_place_of_a_policy_ends_in_a_fault(value: Any) -> None:
    text = yaml.dump(value, Dumper=yaml.CSafeDumper)
    loaded = load_text(text)
    sane(loaded, text)
    assert loaded.policies == ()
