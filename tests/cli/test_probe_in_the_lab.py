# SPDX-License-Identifier: Apache-2.0
"""`hauberk probe` on kernels that were booted so that they cannot enforce: each gives its own reason."""

import json
import re
import sys
from pathlib import Path

import pytest

from hauberk import lab

pytestmark = pytest.mark.lab

HAUBERK = str(Path(sys.executable).with_name("hauberk"))


@pytest.mark.parametrize(
    ("kernel", "append", "feature", "remedy"),
    [
        ("6.1", "lsm=capability,yama", "lsm=", r"boot with lsm=\S*yama\S*,bpf,"),
        ("6.12", "lockdown=confidentiality", "lockdown", "boot without lockdown="),
    ],
)
def test_a_kernel_booted_without_bpf_lsm_names_the_cause(
    kernel: str, append: str, feature: str, remedy: str
) -> None:
    done = lab.capture([HAUBERK, "probe", "--json"], lab.Options(kernel=kernel, append=append))
    assert done.status == 1, done.stderr
    document = json.loads(done.stdout)
    (finding,) = document["findings"]
    assert finding["feature"] == feature
    assert re.match(remedy, finding["remedy"])
