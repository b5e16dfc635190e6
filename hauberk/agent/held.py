# SPDX-License-Identifier: Apache-2.0
"""Files that tasks have open already and that their rules would refuse them now."""

import os
from collections.abc import Sequence
from pathlib import Path

from hauberk.agent.plan import SessionError
from hauberk.events.record import Record
from hauberk.events.text import escape
from hauberk.rules.model import PolicyId, Rule


def refuse_held(held: Sequence[Record], rules: Sequence[Rule], pid: int) -> None:
    """Raises SessionError if the process that waits for its command has files open that Blocks keep from it:
    the kernel would refuse the command's exec."""
    lines = []
    for record in held:
        fd = record.detail[1]
        if record.rule >= len(rules) or _closes_at_exec(pid, fd):
            continue
        rule = rules[record.rule]
        what = f"descriptor {fd} is {escape(record.object)}"
        lines.append(f"\n  {what}, which {rule.policy} {rule.where} blocks")
    if lines:
        raise SessionError(
            f"the command would begin with files open that are kept from it:{''.join(lines)}",
            "close or redirect them, as with 3<&- in a shell",
        )


def held_caveats(held: Sequence[Record], rules: Sequence[Rule]) -> dict[PolicyId, list[str]]:
    """For each policy, what of it does not hold until somebody closes a file that was open before it came.

    What only a posture would refuse is not told: it speaks of opening.
    """
    found: dict[PolicyId, dict[str, None]] = {}
    for record in held:
        if record.rule < len(rules):
            how = "writing" if record.detail[0] & os.O_ACCMODE else "reading"
            told = (
                f"PID {record.tgid} ({escape(record.comm)}) holds {escape(record.object)} "
                f"for {how} since before"
            )
            found.setdefault(rules[record.rule].policy, {})[told] = None
    return {policy: list(told) for policy, told in found.items()}


def _closes_at_exec(pid: int, fd: int) -> bool:
    for line in Path(f"/proc/{pid}/fdinfo/{fd}").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "flags":
            return bool(int(value, 8) & os.O_CLOEXEC)
    return False
