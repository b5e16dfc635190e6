# SPDX-License-Identifier: Apache-2.0
"""What is wrong with policy files, said so that the author finds the place and knows what to write
instead."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MAX_FAULTS: Final = 500
"""Most faults, and most warnings, that are reported for one file; the rest is only counted."""


class Severity(StrEnum):
    """How bad it is."""

    FAULT = "fault"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, or with severity `WARNING` one that is accepted but worth a word.

    `line` and `column` count from 1 and are 0 if the whole file is meant. `field` is the place in the
    document, such as `spec.process.matchPaths[0].path`, empty for faults of the text itself.
    """

    file: str
    line: int
    column: int
    field: str
    message: str
    hint: str = ""
    severity: Severity = Severity.FAULT

    @property
    def place(self) -> str:
        """`FILE:LINE:COLUMN`."""
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file

    def __str__(self) -> str:
        field = f"{self.field}: " if self.field else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.place}: {field}{self.message}{hint}"


class Report:
    """The faults and warnings of one file, at most `MAX_FAULTS` of each."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.faults: list[Fault] = []
        self.warnings: list[Fault] = []
        self._counts = dict.fromkeys(Severity, 0)

    @property
    def fault_count(self) -> int:
        """How many faults there were, those not kept included."""
        return self._counts[Severity.FAULT]

    @property
    def full(self) -> bool:
        """Whether further faults are only counted, so that their hints need not be worked out."""
        return self.fault_count >= MAX_FAULTS

    def count_more(self, faults: int) -> None:
        """Count faults without noting what they are. Only for a full report."""
        self._counts[Severity.FAULT] += faults

    def fault(self, line: int, column: int, field: str, message: str, hint: str = "") -> None:
        """Note a fault."""
        self._note(Fault(self.file, line, column, field, message, hint))

    def warn(self, line: int, column: int, field: str, message: str, hint: str = "") -> None:
        """Note a warning."""
        self._note(Fault(self.file, line, column, field, message, hint, Severity.WARNING))

    def _note(self, fault: Fault) -> None:
        self._counts[fault.severity] += 1
        if self._counts[fault.severity] <= MAX_FAULTS:
            (self.faults if fault.severity is Severity.FAULT else self.warnings).append(fault)

    def finish(self) -> None:
        """Put both lists in the order of the file, and say how many are not in them."""
        for severity, kept in ((Severity.FAULT, self.faults), (Severity.WARNING, self.warnings)):
            kept.sort(key=lambda fault: (fault.line, fault.column))
            more = self._counts[severity] - len(kept)
            if more:
                kept.append(
                    Fault(self.file, 0, 0, "", f"and {more} more {severity}s in this file", "", severity)
                )
