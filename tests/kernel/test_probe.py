# SPDX-License-Identifier: Apache-2.0
"""`hauberk probe` on kernels that have BPF LSM: yes for root, and the right reason for those who are not."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from hauberk.kernel.features import SECTION_HOOKS, probe

HAUBERK = str(Path(sys.executable).with_name("hauberk"))


def probe_as(*prefix: str) -> dict[str, Any]:
    done = subprocess.run([*prefix, HAUBERK, "probe", "--json"], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    document: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (0 if document["enforceable"] else 1)
    return document


def test_root_of_the_machine_can_enforce_every_section() -> None:
    found = probe()
    assert found.findings == ()
    assert found.sections == dict.fromkeys(SECTION_HOOKS, True)
    assert found.observed.called is True
    assert found.observed.preempt in ("voluntary", "full")


def test_a_user_without_capabilities_is_told_which_are_missing() -> None:
    document = probe_as("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--")
    (finding,) = document["findings"]
    assert finding["feature"] == "capabilities"
    assert "CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN" in finding["message"]


def test_root_of_a_user_namespace_is_told_so() -> None:
    document = probe_as("unshare", "--user", "--map-root-user", "--")
    assert [finding["feature"] for finding in document["findings"]] == ["user namespace"]
