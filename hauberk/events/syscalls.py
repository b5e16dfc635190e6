# SPDX-License-Identifier: Apache-2.0
"""What an alert says of a system call: its name, the paths that it was given, what came of it.

`Resource` is its first path, absolute (`rules.syscalls.absolute`), `Hauberk.Other` the second of a call that
has two. `Data` names the call as KubeArmor does (`syscall=SYS_UNLINK`), and those of its numbers that are
worth telling. `Result` is `Passed`, or the error in the words of strerror(3). Of calls that do not return to
the program that made them (execve, exit) it is `Attempted`: whether they succeed is not known when they are
told.
"""

import errno
import os
from functools import lru_cache
from typing import Final

from hauberk.events.names import event_data, open_flags
from hauberk.events.record import Record
from hauberk.policy.signatures import signature_of
from hauberk.policy.syscalls import NAME_OF, NUMBERS
from hauberk.rules.syscalls import UNREAD, absolute

ATTEMPTED: Final = 0x7FFFFFFF
"""In place of a result (HB_ATTEMPTED)."""
UNREAD_REASON: Final = "the call's path could not be read, so that the rule was taken to be about it"

_OPENING: Final = frozenset({"open", "openat"})
_SIGN: Final = 1 << 31


def name_of(number: int) -> str:
    """The call's name; its number if it has none here."""
    return NAME_OF.get(number, str(number))


def number_of(word: str) -> int:
    """The way back from `Data`'s `SYS_UNLINK`. Raises ValueError."""
    name = word.removeprefix("SYS_").lower()
    if name not in NUMBERS:
        raise ValueError(f"{word} is no system call")
    return NUMBERS[name]


def paths_of(record: Record) -> tuple[bytes | None, ...]:
    """The paths that the call was given, absolute; UNREAD for one that could not be read."""
    parts = record.args.split(b"\0")
    return tuple(
        absolute(start, path) if start else UNREAD
        for start, path in zip(parts[::2], parts[1::2], strict=False)
    )


def result(detail: tuple[int, int, int, int]) -> str:
    """What came of the call."""
    code = detail[1]
    if code == ATTEMPTED:
        return "Attempted"
    error = 2 * _SIGN - code if code >= _SIGN else 0
    if error and error not in errno.errorcode:
        return "Unknown error"
    return os.strerror(error) if error else "Passed"


@lru_cache(maxsize=1024)
def call_data(detail: tuple[int, int, int, int]) -> tuple[str, dict[str, str]]:
    """`Data` and `EventData`, which is shared: do not change it."""
    name = name_of(detail[0])
    words = [f"syscall=SYS_{name.upper()}"]
    for (word, _), value in zip(signature_of(name).numbers, detail[2:], strict=False):
        words.append(f"{word}={_number(name, word, value)}")
    text = " ".join(words)
    return text, event_data(text)


def _number(call: str, word: str, value: int) -> str:
    match word:
        case "flags" if call in _OPENING:
            return open_flags(value)
        case "flags" | "flag" | "mountflag" | "prot" | "cmd" | "request" if call != "ptrace":
            return hex(value)
        case "mode":
            return f"0{value:o}"
        case _:
            return str(value - 2 * _SIGN if value >= _SIGN else value)
