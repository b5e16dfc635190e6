# SPDX-License-Identifier: Apache-2.0
"""Names of users come from a file, which is read anew now and then."""

import os
from pathlib import Path

from hauberk.events.users import FRESH_SECONDS, UserNames


def test_names_are_those_of_the_file(tmp_path: Path) -> None:
    now = 0.0
    file = tmp_path / "passwd"
    file.write_bytes(b"root:x:0:0::/:/bin/sh\ntoor:x:0:0\n\n#:\nweb:x:33:33\nbad:x:y\n\xff\x1b[31m:x:7:7")
    users = UserNames(file, lambda: now)
    assert [users.of(number) for number in (0, 33, 7, 5)] == ["root", "web", r"\xff\x1b[31m", ""]
    file.write_text("shop:x:33:33\n")
    now = FRESH_SECONDS - 1
    assert users.of(33) == "web"
    now = FRESH_SECONDS
    assert (users.of(33), users.of(0)) == ("shop", "")


def test_a_file_that_cannot_be_read_has_no_names(tmp_path: Path) -> None:
    assert UserNames(tmp_path / "nowhere").of(0) == ""
    assert UserNames(tmp_path).of(0) == ""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert UserNames(pipe).of(0) == ""
