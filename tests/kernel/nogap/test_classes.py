# SPDX-License-Identifier: Apache-2.0
"""`fromSource` after a change of policies: programs that run already are the subjects of the new rules, by
their own names and not by numbers that meant others before."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from hauberk.enforcers.bpf_lsm import Engine
from hauberk.enforcers.bpf_lsm.abi import TableFlag
from hauberk.enforcers.bpf_lsm.programs import needless
from hauberk.enforcers.bpf_lsm.tables import TableCompiler
from hauberk.policy.load import load_text
from hauberk.rules.meaning import Meaning
from hauberk.rules.normalise import rule_set
from hauberk.workloads.mounts import mounts_of
from tests.kernel.arena import AUDIT
from tests.kernel.helpers.act import policy

DASH, CAT, HEAD, ENV = "/usr/bin/dash", "/usr/bin/cat", "/usr/bin/head", "/usr/bin/env"


class Shell:
    """A confined dash that reads a file itself, or through other programs."""

    def __init__(self, directory: Path, ending: ExitStack) -> None:
        self.secret = directory / "secret"
        self.secret.write_text("secret\n")
        self.engine = Engine.load(
            f"test-classes-{os.getpid()}",
            table_bytes=1 << 18,
            disabled=needless(TableFlag.FILE | TableFlag.PROCESS),
        )
        ending.callback(self.engine.remove)
        dash = subprocess.Popen([DASH], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._process = ending.enter_context(dash)
        self.ask("echo begun")
        self.under()
        pidfd = os.pidfd_open(self._process.pid)
        self.engine.confine(0, pidfd)
        os.close(pidfd)

    def ask(self, line: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()

    def under(self, **sections: Any) -> None:
        """Change the policies to one of these sections."""
        loaded = load_text(policy(**sections), "<test>")
        assert not loaded.faults
        meaning = Meaning(rule_set(loaded.policies, AUDIT))
        mounts = mounts_of(os.getpid())
        table = self.engine.compile(0, lambda base: TableCompiler(meaning, base).compile(mounts))
        self.engine.install(0, table, meaning.rules)

    def readers(self) -> set[str]:
        """Which of these can read the secret: the shell itself (which has been running since before), cat and
        head."""
        tries = {
            "dash": f"{{ read x; }} < {self.secret}",
            "cat": f"cat {self.secret} >/dev/null",
            "head": f"head {self.secret} >/dev/null",
        }
        return {
            name
            for name, line in tries.items()
            if self.ask(f"({line}) 2>/dev/null && echo y || echo n") == "y"
        }


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    with ExitStack() as ending:
        yield Shell(tmp_path_factory.mktemp("classes"), ending)


def secret_from(shell: Shell, *programs: str) -> dict[str, Any]:
    sources = [{"path": program} for program in programs]
    return {"matchPaths": [{"path": str(shell.secret), "fromSource": sources}]}


def test_a_running_program_is_known_by_its_name_whatever_its_number_was(shell: Shell) -> None:
    everybody = {"dash", "cat", "head"}
    assert shell.readers() == everybody
    for refused in ((DASH,), (CAT,), (HEAD,), (DASH, HEAD), (CAT, DASH)):
        shell.under(file=secret_from(shell, *refused))
        assert shell.readers() == everybody - {Path(program).name for program in refused}
    shell.under()
    assert shell.readers() == everybody


def test_a_replaced_program_is_remembered_as_long_as_rules_name_the_same_programs(shell: Shell) -> None:
    """dash replaces itself by env before the change, which runs cat after it: so cat is from dash."""
    rules = {"matchPaths": [{"path": CAT, "fromSource": [{"path": DASH}]}]}
    fifo = shell.secret.with_name("fifo")
    os.mkfifo(fifo)
    waits = f"import os; open('{fifo}').read(); os.execv('{CAT}', ['cat', '/dev/null'])"
    for before, expected in ((rules, 126), ({}, 0)):
        shell.under(process=before)
        shell.ask(f'(exec {sys.executable} -c "{waits}"; ) 2>/dev/null & echo begun')
        with fifo.open("w"):
            # The python that has replaced the subshell waits: now the policy changes.
            shell.under(process=rules, file={"matchPaths": [{"path": "/nowhere"}]})
        status = int(shell.ask("wait $!; echo $?"))
        assert (status != 0) == (expected != 0)
