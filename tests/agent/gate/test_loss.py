# SPDX-License-Identifier: Apache-2.0
"""Without an agent: the command decides, or nobody, and the next agent is told what came of it."""

import os

import pytest

from hauberk.agent.gate.keeper import GateLost
from hauberk.agent.gate.protocol import REFUSE
from tests.agent.gate.yard import REFUSED, Yard, ended, until


def test_the_command_lets_go_when_the_agent_was_killed(yard: Yard) -> None:
    agent = yard.agent()
    held = yard.execute()
    yard.kill(agent)
    assert held.end() == "ran"
    assert yard.execute().end() == "ran"
    assert len(yard.runs) == 2
    assert yard.keeper().counts() == (2, 0)


@pytest.mark.parametrize("script", ["exit 1", "kill -TERM $$; exit 0"])
def test_an_exec_is_refused_if_the_command_fails(yard: Yard, script: str) -> None:
    yard.command_does(script)
    yard.kill(yard.agent())
    assert yard.execute().end() == REFUSED
    assert len(yard.runs) == 1
    assert yard.keeper().counts() == (0, 1)


def test_an_exec_is_refused_if_there_is_no_command(yard: Yard) -> None:
    agent = yard.agent()
    yard.command.unlink()
    yard.kill(agent)
    assert yard.execute().end() == REFUSED
    assert yard.keeper().counts() == (0, 1)


def test_a_command_that_takes_too_long_is_killed_with_what_it_started(yard: Yard) -> None:
    yard.command_does(f"sleep 1000 & echo $! > {yard.directory}/child; wait")
    yard.keeper(command_seconds=0.5).close()
    assert yard.execute().end() == REFUSED
    child = yard.directory / "child"
    # On a slow machine it may not have come so far.
    for pid in (*yard.runs, *map(int, child.read_text().split() if child.exists() else ())):
        try:
            pidfd = os.pidfd_open(pid)
        except OSError:  # ESRCH, or EINVAL in the moment of its end
            continue
        assert ended(pidfd)
        os.close(pidfd)
    # It is over with that run: there can be another, which has more time.
    yard.command_does("exit 0")
    yard.keeper().close()
    assert yard.execute().end() == "ran"


def test_all_are_refused_if_that_was_ordered(yard: Yard) -> None:
    agent = yard.agent(loss=REFUSE)
    held = yard.execute()
    yard.kill(agent)
    assert held.end() == REFUSED
    assert yard.execute().end() == REFUSED
    assert yard.runs == []
    assert yard.keeper().counts() == (0, 2)


def test_one_run_speaks_for_all_that_waited_when_it_began(yard: Yard) -> None:
    yard.command_waits()
    keeper = yard.keeper()
    some = [yard.execute() for _ in range(3)]
    until(keeper, 3)
    keeper.close()
    yard.let_go()
    assert [held.end() for held in some] == ["ran"] * 3
    assert len(yard.runs) == 1


def test_a_run_does_not_speak_for_one_that_came_later(yard: Yard) -> None:
    yard.command_waits()
    yard.keeper().close()
    first = yard.execute()
    with (yard.directory / "fifo").open("w") as fifo:  # the first run has begun
        later = yard.execute(yard.other)
        fifo.write("go\n")
    assert first.end() == "ran"
    assert later.waits
    yard.let_go()
    assert later.end() == "ran"
    assert len(yard.runs) == 2


def test_who_waits_is_told_to_the_agent_that_comes(yard: Yard) -> None:
    yard.command_waits("exit 1")
    agent = yard.agent()
    held = yard.execute()
    yard.kill(agent)
    with (yard.directory / "fifo").open("w") as fifo:  # the command runs
        keeper = yard.keeper()
        (waiting,) = until(keeper, 1)
        assert waiting.pid == held.pid
        fifo.write("go\n")
        command = os.pidfd_open(*yard.runs)
    # The command fails, which is no matter now.
    assert ended(command)
    os.close(command)
    yard.gate_is_up_to_date(keeper, besides=1)
    assert held.waits
    keeper.answer(waiting, True)
    assert held.end() == "ran"
    assert keeper.counts() == (0, 0)


def test_an_agent_that_does_not_answer_is_taken_for_lost(yard: Yard) -> None:
    keeper = yard.keeper(answer_seconds=0.3)
    assert yard.execute().end() == "ran"
    assert len(yard.runs) == 1
    with pytest.raises(GateLost, match="hung up"):
        until(keeper, 2)
    keeper.revive()
    assert keeper.counts() == (1, 0)
    keeper.close()
    yard.gate_is_up_to_date(yard.keeper())


def test_an_agent_is_lost_although_a_process_that_it_forked_has_the_line(yard: Yard) -> None:
    yard.kill(yard.agent(forks=True))
    assert yard.execute().end() == "ran"
    yard.gate_is_up_to_date(yard.keeper())
