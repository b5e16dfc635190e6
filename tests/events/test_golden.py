# SPDX-License-Identifier: Apache-2.0
"""The JSON of alerts and logs, whole, for each operation and special case. `golden` writes the files."""

import pytest

from hauberk.events.record import Call

from .golden import CASES, DIRECTORY, REPEATS, files


@pytest.mark.parametrize("name", [*CASES, *REPEATS])
def test_the_json_is_the_golden_file(name):
    assert files()[name] == (DIRECTORY / f"{name}.json").read_text()


def test_every_golden_file_has_a_case():
    assert {path.stem for path in DIRECTORY.glob("*")} == set(files())


def test_every_section_is_refused_in_some_case():
    assert {record.section for record in CASES.values() if record.verdict == 2} == {0, 1, 2, 3}


def test_the_calls_with_something_to_say_are_among_the_cases():
    assert {record.call for record in CASES.values()} >= {
        Call.EXEC,
        Call.MMAP,
        Call.MPROTECT,
        Call.OPEN,
        Call.RENAME,
        Call.LINK,
        Call.SOCKET,
        Call.CAPABLE,
        Call.MOUNT,
    }
