# SPDX-License-Identifier: Apache-2.0
"""Running what may not run: loaders, libraries, scripts, memory, and programs in between."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from hauberk.events.record import Call
from tests.kernel.arena import Arena
from tests.kernel.helpers.act import Session, policy
from tests.kernel.helpers.evasion import Evasion, Pair, Trial, pair, trials

LOADER = "/lib64/ld-linux-x86-64.so.2"

EVASIONS = (
    Evasion("program", "program", "!execute {v}/prog"),
    Evasion("program-by-relative-path", "program", "chdir {v} ; !execute ./prog ; !execute ../vault/prog"),
    Evasion("program-by-symlink", "program", "symlink {v}/prog {o}/other ; !execute {o}/other"),
    Evasion("program-by-descriptor", "program", "opath {v}/prog ; !execute-held prog"),
    Evasion("program-by-proc", "program", "opath {v} ; !execute /proc/self/root{v}/prog"),
    Evasion("file-rule-refuses-running", "tree", "!execute {v}/script", files={"{v}/script": "#!/bin/true\n"}),
    Evasion("script", "program", "!execute {v}/prog", files={"{v}/prog": "#!/bin/true\n"}),
    Evasion("interpreter", "program", "!execute {o}/script", files={"{o}/script": "#!{v}/prog\n"}),
    Evasion("interpreter-of-interpreter", "program", "!execute {o}/two",
            files={"{o}/one": "#!{v}/prog\n", "{o}/two": "#!{o}/one\n"}),
    # the loader itself may run; it cannot map the program, and exits with 127
    Evasion("loader", "program", f"!execute {LOADER} {{v}}/prog", confined="status 127"),
    Evasion("loader-through-bind", "program", f"unshare mount ; bind {{v}} {{o}} ; !execute {LOADER} {{o}}/prog", confined="status 127"),
    Evasion("mapped", "program", "!map-exec {v}/prog"),
    Evasion("mapped-then-executable", "program", "!protect-exec {v}/prog"),
    # the library ends who loads it with status 42
    Evasion("preload", "library", "setenv LD_PRELOAD {v}/trap.so ; !execute /bin/true", free="status 42", confined="ok"),
    Evasion("library-path", "library", f"!execute {LOADER} --preload {{v}}/trap.so /bin/true", free="status 42", confined="ok"),
    Evasion("dlopen", "library", "!execute /bin/bash {o}/script", free="status 42", confined="status 1",
            files={"{o}/script": "enable -f {v}/trap.so trap_me\n"}),
    # the program that runs, and the one before it
    Evasion("from-bash", "from", "!execute /bin/bash {o}/script", confined="status 126", files={"{o}/script": "{v}/prog\n"}),
    Evasion("from-bash-by-exec", "from", "!execute /bin/bash {o}/script", confined="status 126", files={"{o}/script": "exec {v}/prog\n"}),
    Evasion("from-bash-over-env", "from", "!execute /bin/bash {o}/script", confined="status 126",
            files={"{o}/script": "exec /usr/bin/env {v}/prog\n"}),
    Evasion("from-bash-under-sh", "from", "!execute /bin/sh {o}/outer", confined="status 126",
            files={"{o}/outer": "/bin/bash {o}/script\n", "{o}/script": "#!/bin/bash\n/usr/bin/env {v}/prog\n"}),
)  # fmt: skip

TRIALS = trials(EVASIONS)


@pytest.fixture(scope="module")
def sessions(arena: Arena, act: Path) -> Iterator[Pair]:
    with pair(arena, act, TRIALS) as both:
        yield both


@pytest.mark.parametrize("trial", TRIALS)
def test_another_way_to_run_a_program_is_refused(sessions: Pair, trial: Trial) -> None:
    sessions.check(trial)


def test_another_program_may_do_what_is_blocked_for_one(sessions: Pair) -> None:
    trial = Trial(next(each for each in EVASIONS if each.name == "from-bash"), "root")
    trial.lay_out(sessions.free.act)
    done = sessions.confined.do(trial.fill("execute {v}/prog ; execute /bin/sh {o}/script"))
    assert done.results == ["ok", "ok"]
    assert done.records == ()


def test_what_lies_in_memory_can_be_blocked_by_its_name(arena: Arena, act: Path) -> None:
    rules = policy(process={"matchPaths": [{"execname": "memfd:tool"}]})
    with Session(arena, act, rules) as session:
        done = session.do(f"memfd tool {act} ; execute-held tool true")
        assert done.results == ["ok", "EACCES"]
        assert [(done.because(record), record.object) for record in done.refusals] == [
            ("test", b"memfd:tool")
        ]
        assert session.do(f"memfd other {act} ; execute-held other true").results == ["ok", "ok"]


def test_a_blocked_loader_loads_programs_but_cannot_be_run_by_hand(arena: Arena) -> None:
    loader = os.path.realpath(LOADER)
    rules = policy(process={"matchPaths": [{"path": loader}]})
    ran = arena.run(rules, ["/bin/sh", "-c", f"true; {loader} /bin/true"])
    assert ran.status == 126
    (record,) = ran.refused()
    assert (record.call, record.object) == (Call.EXEC, os.fsencode(loader))
