# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with a pattern, and the base of this package's errors."""

from hauberk.errors import HauberkError


class AutomatonError(HauberkError):
    """Patterns that cannot be compiled."""


class PatternError(AutomatonError):
    """A pattern that is not well formed.

    `text` is the pattern as written, `position` the offset in bytes of the first fault, `hint` how to mend
    it.
    """

    def __init__(self, text: bytes, position: int, message: str, hint: str) -> None:
        shown = text.decode("utf-8", "backslashreplace")
        super().__init__(f"pattern {shown!r}, position {position}: {message}", hint)
        self.text = text
        self.position = position
        self.hint = hint
