# SPDX-License-Identifier: Apache-2.0
"""How the policies of a run stand, as data for other programs."""

import json
import os
from pathlib import Path

import pytest

from hauberk.agent.plan import Outlook
from hauberk.agent.status import outlook_data, write_status
from hauberk.enforcers.protocol import PolicyStatus, State
from hauberk.errors import HauberkError
from hauberk.rules.model import Alias, PolicyId

WEB = PolicyStatus(PolicyId("KubeArmorPolicy", "shop", "web"), State.ENFORCED)
CALLS = PolicyStatus(
    PolicyId("KubeArmorPolicy", "shop", "calls"), State.DEGRADED, ("p.yaml:7: not enforced",)
)


def test_each_policy_and_alias_is_in_it() -> None:
    outlook = Outlook((WEB, CALLS), (Alias(b"/bin/\xff", b"/usr/bin/\xff"),), ("p.yaml:3: odd",))
    assert outlook_data(outlook) == {
        "enforced": False,
        "obstacle": "",
        "policies": [
            {
                "kind": "KubeArmorPolicy",
                "namespace": "shop",
                "name": "web",
                "state": "enforced",
                "reasons": [],
            },
            {
                "kind": "KubeArmorPolicy",
                "namespace": "shop",
                "name": "calls",
                "state": "degraded",
                "reasons": ["p.yaml:7: not enforced"],
            },
        ],
        "aliases": [{"written": "/bin/\\xff", "real": "/usr/bin/\\xff"}],
        "warnings": ["p.yaml:3: odd"],
    }


def test_enforced_means_all_of_it() -> None:
    assert outlook_data(Outlook((WEB,)))["enforced"] is True
    assert outlook_data(Outlook((WEB,), obstacle="no BTF"))["enforced"] is False


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    target = tmp_path / "status.json"
    target.write_text("x" * 10000)
    reader = target.open()
    write_status(target, {"a": 1})
    assert json.loads(target.read_text()) == {"a": 1}
    assert reader.read() == "x" * 10000
    reader.close()
    assert os.listdir(tmp_path) == ["status.json"]


def test_what_cannot_be_written_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(HauberkError, match="No such file or directory"):
        write_status(tmp_path / "none" / "status.json", {})
    with pytest.raises(HauberkError, match="not a regular file"):
        write_status(Path("/dev/null"), {})
    assert Path("/dev/null").is_char_device()
    assert os.listdir(tmp_path) == []
