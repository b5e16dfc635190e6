# SPDX-License-Identifier: Apache-2.0
"""Moments as users write them: `1h` (ago), `2026-11-28T10:00`, or the number of an event."""

import re
import time
from datetime import UTC, datetime
from typing import Final

import click

_AGO: Final = re.compile(r"(\d+)(s|m|h|d|w)")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def moment(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    """Callback of an option: the moment in microseconds since 1970. Raises BadParameter."""
    if value is None:
        return None
    if found := _AGO.fullmatch(value):
        return (time.time_ns() // 1000) - int(found[1]) * _SECONDS[found[2]] * 1_000_000
    try:
        when = datetime.fromisoformat(value)
        if when.tzinfo is None:
            when = when.replace(tzinfo=UTC)
        return int(when.timestamp() * 1_000_000)
    except (ValueError, OverflowError):
        raise click.BadParameter(
            f"{value!r} is neither a time (2026-11-28T10:00) nor how long ago (90s, 15m, 1h, 2d)"
        ) from None


def moment_or_number(ctx: click.Context, param: click.Parameter, value: str | None) -> int | str | None:
    """Callback of an option: as `moment`, or the number of an event, as a text. Raises BadParameter."""
    return value if value is not None and value.isdecimal() else moment(ctx, param, value)


def shown(micros: int) -> str:
    """A moment as it is printed."""
    return datetime.fromtimestamp(micros / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
