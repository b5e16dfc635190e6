# SPDX-License-Identifier: Apache-2.0
"""An exec waits for the agent's answer, and does what that says."""

import os
import signal
import sys
from pathlib import Path

import pytest

from hauberk.agent.gate.keeper import GateLost, Waiting
from hauberk.agent.gate.protocol import REFUSE, RUN_LAST_KNOWN
from hauberk.errors import HauberkError
from tests.agent.gate.yard import REFUSED, Yard, ended, until


def test_an_exec_waits_until_it_is_answered(yard: Yard) -> None:
    keeper = yard.keeper()
    assert keeper.held == (str(yard.other), str(yard.program))
    held = yard.execute()
    (waiting,) = until(keeper, 1)
    assert (waiting.pid, waiting.program) == (held.pid, str(yard.program))
    assert held.waits
    keeper.answer(waiting, True)
    assert held.end() == "ran"
    assert keeper.waiting() == []


def test_a_refused_exec_fails(yard: Yard) -> None:
    keeper = yard.keeper()
    held = yard.execute()
    keeper.answer(*until(keeper, 1), False)
    assert held.end() == REFUSED


def test_other_programs_run_meanwhile(yard: Yard) -> None:
    yard.keeper([yard.program])
    yard.execute()
    assert yard.execute(yard.copy(yard.directory / "podman")).end() == "ran"


def test_each_gets_the_answer_that_was_given_for_it(yard: Yard) -> None:
    keeper = yard.keeper()
    first, second = yard.execute(), yard.execute(yard.other)
    by_pid = {each.pid: each for each in until(keeper, 2)}
    keeper.answer(by_pid[second.pid], False)
    assert second.end() == REFUSED
    assert first.waits
    keeper.answer(by_pid[first.pid], True)
    assert first.end() == "ran"


def test_those_that_wait_are_told_until_they_are_answered(yard: Yard) -> None:
    keeper = yard.keeper()
    yard.execute()
    waiting = until(keeper, 1)
    assert keeper.waiting() == waiting
    keeper.answer(*waiting, True)
    assert keeper.waiting() == []


def test_one_that_was_killed_while_it_waited_is_no_matter(yard: Yard) -> None:
    keeper = yard.keeper()
    held = yard.execute()
    waiting = until(keeper, 1)
    held.kill()
    assert held.end() == "status -9"
    keeper.answer(*waiting, True)
    yard.gate_is_up_to_date(keeper)


def test_an_answer_to_what_does_not_wait_does_nothing(yard: Yard) -> None:
    keeper = yard.keeper()
    held = yard.execute()
    (waiting,) = until(keeper, 1)
    keeper.answer(Waiting(waiting.number, waiting.pid + 1, waiting.program), True)
    keeper.answer(Waiting(waiting.number + 1, waiting.pid, waiting.program), True)
    assert held.waits
    keeper.answer(waiting, False)
    keeper.answer(waiting, True)
    assert held.end() == REFUSED


def test_more_than_may_wait_are_refused_and_counted(yard: Yard) -> None:
    keeper = yard.keeper(most_held=2)
    kept = [yard.execute(), yard.execute()]
    waiting = until(keeper, 2)
    assert yard.execute().end() == REFUSED
    for each in waiting:
        keeper.answer(each, True)
    assert [held.end() for held in kept] == ["ran", "ran"]
    yard.gate_is_up_to_date(keeper)
    assert keeper.counts() == (0, 1)


def test_the_set_of_programs_can_be_replaced(yard: Yard) -> None:
    keeper = yard.keeper([yard.program])
    keeper.hold([yard.other, yard.directory / "none"])
    assert keeper.held == (str(yard.other),)
    assert yard.execute().end() == "ran"
    yard.gate_is_up_to_date(keeper)


def test_what_the_gate_needs_itself_is_not_held(yard: Yard) -> None:
    python = yard.directory / "python"
    python.symlink_to(sys.executable)
    keeper = yard.keeper([python, yard.command, yard.program])
    assert keeper.held == (str(yard.program),)
    assert [fault.split()[0] for fault in keeper.faults] == [str(python), str(yard.command)]
    assert yard.execute(yard.command).end() == "ran"


def test_a_second_agent_is_turned_away(yard: Yard) -> None:
    keeper = yard.keeper()
    with pytest.raises(HauberkError, match="another agent"):
        yard.keeper()
    yard.gate_is_up_to_date(keeper)


@pytest.mark.parametrize(
    ("loss", "command", "told"),
    [
        ("allow", "/bin/true", "'allow' is nothing that can be done"),
        (RUN_LAST_KNOWN, "true", "absolute path"),
    ],
)
def test_orders_that_make_no_sense_are_refused(yard: Yard, loss: str, command: str, told: str) -> None:
    yard.command = Path(command)
    with pytest.raises(HauberkError, match=told):
        yard.keeper(loss=loss)


def test_a_cgroup_that_is_not_there_is_told(yard: Yard) -> None:
    keeper = yard.keeper(cgroup=str(yard.directory / "cgroup"))
    assert keeper.faults == (
        f"the gate could not move to {yard.directory}/cgroup: No such file or directory",
    )


def test_the_gate_stays_when_it_is_asked_to_end(yard: Yard) -> None:
    keeper = yard.keeper(loss=REFUSE)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        os.kill(keeper.pid, number)
    yard.gate_is_up_to_date(keeper)


def test_a_gate_that_is_ended_lets_all_go_and_leaves_nothing(yard: Yard) -> None:
    keeper = yard.keeper(loss=REFUSE)
    pidfd = os.pidfd_open(keeper.pid)
    held = yard.execute()
    until(keeper, 1)
    keeper.end()
    assert held.end() == "ran"
    assert yard.execute().end() == "ran"
    assert ended(pidfd)
    os.close(pidfd)
    assert sorted(each.name for each in yard.directory.iterdir()) == ["crun", "place", "runc"]


def test_a_gate_that_is_killed_lets_all_go_and_another_can_take_its_place(yard: Yard) -> None:
    keeper = yard.keeper(loss=REFUSE)
    before = keeper.pid
    held = yard.execute()
    (waiting,) = until(keeper, 1)
    os.kill(before, signal.SIGKILL)
    assert held.end() == "ran"
    with pytest.raises(GateLost):
        until(keeper, 2)
    keeper.revive()
    yard.end_later(keeper.pid)
    assert keeper.pid != before
    held = yard.execute()
    (again,) = until(keeper, 1)
    keeper.answer(waiting, False)
    keeper.answer(again, True)
    assert held.end() == "ran"


def test_the_gate_is_small(yard: Yard) -> None:
    status = Path(f"/proc/{yard.keeper().pid}/status").read_text()
    (resident,) = (int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))
    assert resident < 16 * 1024
