# SPDX-License-Identifier: Apache-2.0
"""The runtimes work at all, without the agent: or else what the other tests find says nothing about it."""

from pathlib import Path

from tests.kernel.runtimes.commands import Runtime
from tests.runtimes.images import SECRET, SECRET_TEXT

LABELS = {"app": "ground"}


def test_a_container_does_what_policies_will_forbid(runtime: Runtime, container: str) -> None:
    done = runtime.run(container, "/bin/cat", SECRET, labels=LABELS)
    assert (done.returncode, done.stdout) == (0, SECRET_TEXT), done.stderr


def test_programs_can_be_started_in_a_running_container(runtime: Runtime, container: str) -> None:
    runtime.start(container, "/bin/sleep", "600", labels=LABELS)
    done = runtime.exec(container, "/bin/id")
    assert (done.returncode, done.stdout[:6]) == (0, "uid=0("), done.stderr
    assert Path(f"/proc/{runtime.pid(container)}/exe").readlink() == Path("/bin/sleep")
