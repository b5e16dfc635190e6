# SPDX-License-Identifier: Apache-2.0
"""The compiler's process: what it costs the agent, how it ends, and how it comes back."""

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hauberk.agent.compiler import client
from hauberk.agent.compiler.client import Compiler
from hauberk.agent.compiler.jobs import CompilerError, RejectedError
from hauberk.agent.control.messages import Explain
from hauberk.errors import HauberkError

from .make import COSTLY, policy, source, web

HEAVY = ("pydantic", "yaml", "hauberk.policy.fields", "hauberk.rules.meaning", "hauberk.automaton.dfa")


@pytest.fixture(scope="module")
def shared() -> Iterator[Compiler]:
    with Compiler() as compiler:
        yield compiler


@pytest.fixture
def compiler(shared: Compiler) -> Compiler:
    shared.use([source(policy("a"))])
    return shared


def process(compiler: Compiler) -> int:
    assert compiler.pid is not None
    return compiler.pid


def test_the_agents_side_carries_neither_pydantic_nor_the_compiler_of_automata() -> None:
    code = "import sys, hauberk.agent.compiler.client, hauberk.enforcers.bpf_lsm.engine; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert [name for name in loaded.split() if name.startswith(HEAVY)] == []


def test_a_table_comes_through_with_its_rules(compiler: Compiler) -> None:
    paths = ", ".join(f"{{path: /srv/{number}/file}}" for number in range(3000))
    compiler.use([source(policy("many", f"file: {{matchPaths: [{paths}]}}"))])
    found = compiler.compile(web(), 128)
    assert found.table is not None
    assert (found.table.base, found.table.key) == (128, found.key)
    assert len(found.table.image) > 1 << 18  # more than the socket holds
    assert sum(rule.policy.name == "many" for rule in found.rules) == 3000
    assert pickle.loads(pickle.dumps(found)) == found


def test_all_jobs_are_done(compiler: Compiler) -> None:
    assert [str(each.ref) for each in compiler.check([source(policy("b"))]).policies]
    assert compiler.choose([web(), web(labels={})])[1] == ""
    assert compiler.closed(64).table is not None
    (answer,) = compiler.explain(web(), Explain(reads=("/etc/shadow",)))
    assert answer.verdict == "refused"


def test_what_the_user_did_wrong_comes_as_such_and_the_process_stays(compiler: Compiler) -> None:
    before = process(compiler)
    with pytest.raises(HauberkError, match=r"p\.yaml:6:.*`pth`") as caught:
        compiler.use([source(policy("a").replace("path:", "pth:"))])
    assert not isinstance(caught.value, CompilerError)
    assert compiler.choose([web()]) != [""]
    assert process(compiler) == before


def test_a_rejection_comes_with_the_statuses(compiler: Compiler) -> None:
    compiler.use([source(policy("costly", COSTLY))])
    with pytest.raises(RejectedError) as caught:
        compiler.compile(web(), 64)
    assert [status.policy.name for status in caught.value.statuses] == ["costly"]
    assert caught.value.remedy


def test_a_defect_comes_with_its_traceback_and_the_process_stays(compiler: Compiler) -> None:
    before = process(compiler)
    with pytest.raises(CompilerError, match="has a defect: AttributeError") as caught:
        compiler.check([1])  # type: ignore[list-item]
    assert "Traceback" in caught.value.details
    assert compiler.choose([web()]) != [""]
    assert process(compiler) == before


def test_killed_while_it_rests_nobody_notices(compiler: Compiler) -> None:
    before = process(compiler)
    chosen = compiler.choose([web()])
    os.kill(before, signal.SIGKILL)
    os.waitid(os.P_PID, before, os.WEXITED | os.WNOWAIT)
    assert compiler.choose([web()]) == chosen
    assert process(compiler) != before


def test_killed_at_a_job_that_job_fails_and_the_next_one_knows_the_policies(
    compiler: Compiler, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = compiler.choose([web()])
    worker = compiler._worker
    assert worker is not None
    receive = worker._channel.receive

    def killed_first(seconds: float | None = None) -> object:
        os.kill(worker.pid, signal.SIGKILL)
        return receive(seconds)

    os.kill(worker.pid, signal.SIGSTOP)  # so that it cannot have answered
    monkeypatch.setattr(worker._channel, "receive", killed_first)
    with pytest.raises(CompilerError, match="was ended by signal 9 during `choose`"):
        compiler.choose([web()])
    assert compiler.pid is None
    assert compiler.choose([web()]) == chosen


def test_what_takes_too_long_is_ended_and_told() -> None:
    with Compiler(seconds=3) as compiler:
        compiler.use([source(policy("a"))])
        before = process(compiler)
        os.kill(before, signal.SIGSTOP)
        with pytest.raises(CompilerError, match="`choose` took longer than 3 s"):
            compiler.choose([web()])
        assert not Path(f"/proc/{before}").exists()
        assert compiler.choose([web()]) != [""]


def test_an_interruption_leaves_no_answer_behind_for_the_next_job(
    compiler: Compiler, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: float | None = None) -> object:
        raise KeyboardInterrupt

    worker = compiler._worker
    assert worker is not None
    monkeypatch.setattr(worker._channel, "receive", interrupted)
    with pytest.raises(KeyboardInterrupt):
        compiler.check([source(policy("b"))])
    assert len(compiler.choose([web()])) == 1


def test_after_a_rest_it_knows_the_policies(compiler: Compiler) -> None:
    chosen = compiler.choose([web()])
    before = process(compiler)
    compiler.rest()
    assert compiler.pid is None
    assert not Path(f"/proc/{before}").exists()
    assert compiler.choose([web()]) == chosen


def test_it_is_idle_since_its_last_job(compiler: Compiler, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(client.time, "monotonic", lambda: now)
    compiler.choose([web()])
    now = 5.0
    assert compiler.idle_seconds() == 5
    compiler.choose([web()])
    assert compiler.idle_seconds() == 0
    compiler.rest()
    assert compiler.idle_seconds() is None


def test_it_ends_with_the_agent_however_that_ends() -> None:
    receive, send = os.pipe()
    agent = os.fork()
    if agent == 0:
        os.set_inheritable(send, True)
        compiler = Compiler()
        compiler.use([])
        os.write(send, b"+")
        signal.pause()
    os.close(send)
    assert os.read(receive, 1) == b"+"
    os.kill(agent, signal.SIGKILL)
    os.waitpid(agent, 0)
    assert os.read(receive, 1) == b""  # nobody is left who could write
    os.close(receive)


def test_it_inherits_neither_blocked_signals_nor_descriptors(compiler: Compiler) -> None:
    compiler.rest()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        compiler.choose([web()])
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    status = Path(f"/proc/{compiler.pid}/status").read_text()
    assert "SigBlk:\t0000000000000000\n" in status
    links = [os.readlink(link) for link in Path(f"/proc/{compiler.pid}/fd").iterdir()]
    assert sum(link.startswith("socket:") for link in links) == 1


def test_when_memory_is_short_it_goes_before_the_agent(compiler: Compiler) -> None:
    compiler.choose([])
    assert Path(f"/proc/{compiler.pid}/oom_score_adj").read_text() == "500\n"
