# SPDX-License-Identifier: Apache-2.0
"""What is wrong with the agent now, until it is not any more."""

from collections.abc import Callable, Iterator

from hauberk.errors import HauberkError


class Findings:
    """One finding a thing that can go wrong."""

    def __init__(self) -> None:
        self._found: dict[str, str] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(self._found.values())

    def of(self, what: str, act: Callable[[], object]) -> bool:
        """Do something, and whether it went well; else its error is the finding until it does."""
        try:
            act()
        except HauberkError as error:
            remedy = f" ({error.remedy})" if error.remedy else ""
            self._found[what] = f"{what}: {error.message}{remedy}"
            return False
        self._found.pop(what, None)
        return True

    def note(self, what: str, why: str) -> None:
        """The finding about something; empty: nothing is wrong."""
        self._found.pop(what, None)
        if why:
            self._found[what] = f"{what}: {why}"
