# SPDX-License-Identifier: Apache-2.0
"""Fixtures that write policies around the part that a test is about."""

import textwrap
from collections.abc import Callable

import pytest

from hauberk.policy.faults import Fault
from hauberk.policy.load import Loaded, load_text
from hauberk.policy.models import Policy

HEAD = "apiVersion: security.kubearmor.com/v1\nkind: {kind}\nmetadata: {{name: sample}}\nspec:\n"

LoadSpec = Callable[..., Loaded]
OnePolicy = Callable[..., Policy]
OneFault = Callable[..., Fault]


@pytest.fixture
def load_spec() -> LoadSpec:
    """Load a policy with the given spec; the spec's first line is line 5 of the text."""

    def load(spec: str, kind: str = "KubeArmorPolicy") -> Loaded:
        body = textwrap.indent(textwrap.dedent(spec).strip("\n") or "{}", "  ")
        return load_text(HEAD.format(kind=kind) + body + "\n", "p.yaml")

    return load


@pytest.fixture
def one_policy(load_spec: LoadSpec) -> OnePolicy:
    """Load a policy that must have neither faults nor warnings."""

    def load(spec: str, kind: str = "KubeArmorPolicy") -> Policy:
        loaded = load_spec(spec, kind)
        assert [str(fault) for fault in (*loaded.faults, *loaded.warnings)] == []
        (policy,) = loaded.policies
        return policy

    return load


@pytest.fixture
def one_fault(load_spec: LoadSpec) -> OneFault:
    """Load a policy that must have exactly one fault, and return that."""

    def load(spec: str, kind: str = "KubeArmorPolicy") -> Fault:
        loaded = load_spec(spec, kind)
        assert loaded.policies == ()
        assert len(loaded.faults) == 1, [str(fault) for fault in loaded.faults]
        return loaded.faults[0]

    return load


@pytest.fixture
def one_warning(load_spec: LoadSpec) -> OneFault:
    """Load a policy that must be accepted with exactly one warning, and return that."""

    def load(spec: str, kind: str = "KubeArmorPolicy") -> Fault:
        loaded = load_spec(spec, kind)
        assert len(loaded.policies) == 1, [str(fault) for fault in loaded.faults]
        assert loaded.faults == ()
        assert len(loaded.warnings) == 1, [str(fault) for fault in loaded.warnings]
        return loaded.warnings[0]

    return load
