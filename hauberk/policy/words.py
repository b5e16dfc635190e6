# SPDX-License-Identifier: Apache-2.0
"""Words of what users write, in messages: which known word was meant, and texts that can be printed."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from typing import Final

_FEW: Final = 41
"""As many words as a hint lists: all capabilities of Linux."""


def nearest(word: str, known: Collection[str]) -> str:
    """Return the member of `known` that `word` was most likely meant to be, or an empty string."""
    by_folded = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word.lower()[:64], by_folded, n=1, cutoff=0.6)
    return by_folded[found[0]] if found else ""


def did_you_mean(word: str, known: Collection[str]) -> str:
    """Return a hint naming the nearest of `known`, or all of them if there is none and they are few."""
    if near := nearest(word, known):
        return f"did you mean `{near}`?"
    return f"known: {', '.join(known)}" if len(known) <= _FEW else ""


def shorten(text: str, limit: int = 60) -> str:
    """Return `text` printable and at most `limit` characters long, for use inside a message."""
    shown = text if len(text) <= limit else text[: limit - 3] + "..."
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in shown)
