# SPDX-License-Identifier: Apache-2.0
"""Acting as somebody else: children, threads and kernel workers carry the label of who made them."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kernel.arena import Arena
from tests.kernel.helpers.act import Session, policy
from tests.kernel.helpers.evasion import Evasion, Pair, Trial, pair, trials

READ = "!read {v}/secret"
CGROUP = "/sys/fs/cgroup/evasion"
MODES = ("inline", "async", "poll", "poll-async")
PORT = 4712

COURSES = {
    "fork": "fork",
    "double-fork": "doublefork",
    "vfork": "vfork",
    "thread": "thread",
    "cgroup": f"cgroup-clone {CGROUP}",
    "new-session": "fork ; setsid ; doublefork",
    "nobody": "setuid 65534",
    "exec": "reexec {act}",
    "exec-by-thread": "thread ; reexec {act}",
    "exec-by-thread-of-vfork": "vfork ; reexec {act} ; thread ; reexec {act}",
    "thread-of-thread": "thread ; fork ; thread ; unshare mount ; fork",
}

EVASIONS = (
    *(Evasion(name, "file", f"{course} ; {READ}") for name, course in COURSES.items()),
    *(Evasion(f"{name}-program", "program", f"{course} ; !execute {{v}}/prog") for name, course in COURSES.items()),
    *(Evasion(f"uring-read-{mode}", "file", f"!uring {mode} read {{v}}/secret") for mode in MODES),
    *(
        Evasion(f"uring-{name}-{mode}", "tree", f"{before}!uring {mode} {operation}")
        for mode in MODES
        for name, before, operation in (
            ("create", "", "create {v}/new"),
            ("unlink", "", "unlink {v}/secret"),
            ("mkdir", "", "mkdir {v}/new"),
            ("symlink", "", "symlink x {v}/new"),
            ("link", "", "link {v}/secret {o}/new"),
            ("rename", "", "rename {v}/secret {o}/new"),
            ("rename-in", "create {o}/new ; ", "rename {o}/new {v}/new"),
        )
    ),
    *(Evasion(f"uring-move-{mode}", "program", f"!uring {mode} rename {{v}} {{o}}/new", because="ProtectedPath") for mode in MODES),
)  # fmt: skip

TRIALS = trials(EVASIONS)


@pytest.fixture(scope="module")
def sessions(arena: Arena, act: Path) -> Iterator[Pair]:
    Path(CGROUP).mkdir(exist_ok=True)
    with pair(arena, act, TRIALS) as both:
        yield both


@pytest.mark.parametrize("trial", TRIALS)
def test_another_task_is_refused_as_its_maker(sessions: Pair, trial: Trial) -> None:
    sessions.check(trial)


@pytest.mark.parametrize("mode", MODES)
def test_sockets_of_io_uring_are_refused_as_others(arena: Arena, act: Path, mode: str) -> None:
    def made_before() -> None:
        os.dup2(socket.socket().detach(), 20)

    scripts = (f"uring {mode} socket 2 1", f"use 20 ; uring {mode} connect {PORT}")
    rules = policy(network={"matchProtocols": [{"protocol": "tcp"}]})
    with (
        socket.create_server(("127.0.0.1", PORT)),
        Session(arena, act, prepare=made_before) as free,
        Session(arena, act, rules, prepare=made_before) as confined,
    ):
        for script in scripts:
            assert free.do(script).results[-1] == "ok"
            done = confined.do(script)
            assert done.results[-1] == "EACCES"
            assert [done.because(record) for record in done.refusals] == ["test"]
