# SPDX-License-Identifier: Apache-2.0
"""Fuzzing: what reads bytes that others choose.

A target is a module here with a docstring that says what must hold, `MAX_LENGTH` (of an input), `seeds()`
(inputs to begin with) and `check(data)`, which raises if it does not hold. `one` runs a target under atheris,
`run` all of them, and `test_corpus` replays what was kept.
"""

from typing import Final

from hauberk.errors import HauberkError

TARGETS: Final = ("policy", "pattern", "record", "ring", "mountinfo", "bolt")


def told(error: HauberkError) -> None:
    """Assert that an error says something, and nothing that a terminal would obey."""
    assert error.message
    for line in (*error.message.split("\n"), error.remedy):
        assert line.isprintable(), line
