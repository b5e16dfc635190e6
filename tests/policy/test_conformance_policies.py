# SPDX-License-Identifier: Apache-2.0
"""Every policy of the conformance scenarios loads without a fault."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from hauberk.policy.load import load_text

SCENARIOS = Path(__file__).parents[2].parent / "shared" / "conformance" / "scenarios.yaml"


def _policies() -> list[Any]:
    if not SCENARIOS.exists():
        reason = "the conformance scenarios are not beside the repository"
        return [pytest.param({}, id="none", marks=pytest.mark.skip(reason=reason))]
    scenarios = yaml.load(SCENARIOS.read_bytes(), Loader=yaml.CSafeLoader)
    return [
        pytest.param(policy, id=f"{scenario['id']}-{index}")
        for scenario in scenarios
        for index, policy in enumerate(scenario.get("policies") or [])
    ]


@pytest.mark.parametrize("policy", _policies())
def test_the_policy_of_a_scenario_loads(policy: dict[str, Any]) -> None:
    metadata = {key: policy[key] for key in ("name", "namespace") if key in policy}
    document = {
        "apiVersion": "security.kubearmor.com/v1",
        "kind": policy["kind"],
        "metadata": metadata,
        "spec": policy["spec"],
    }
    loaded = load_text(yaml.dump(document, Dumper=yaml.CSafeDumper))
    assert [str(fault) for fault in loaded.faults] == []
    (found,) = loaded.policies
    assert (found.kind, found.name) == (policy["kind"], policy["name"])
