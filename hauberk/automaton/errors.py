# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with a pattern, and the base of this package's errors."""

from hauberk.errors import HauberkError


class AutomatonError(HauberkError):
    """Patterns that cannot be compiled."""


class ImageTooLargeError(AutomatonError):
    """The image would not be addressable by a reference of 32 bits."""

    def __init__(self) -> None:
        super().__init__("the tables would be larger than 4 GiB", "split the rules among workloads")


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
