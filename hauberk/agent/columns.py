# SPDX-License-Identifier: Apache-2.0
"""Rules on their way between processes. They are many and much alike: by columns they are pickled in half the
time."""

from collections.abc import Sequence
from typing import Any, TypeAlias

from msgspec.structs import astuple

from hauberk.rules.model import Rule

Columns: TypeAlias = tuple[Sequence[Any], ...]


def to_columns(rules: Sequence[Rule]) -> Columns:
    """The rules, field by field."""
    return tuple(zip(*map(astuple, rules), strict=True))


def from_columns(columns: Columns) -> tuple[Rule, ...]:
    """The rules again."""
    return tuple(map(Rule, *columns)) if columns else ()
