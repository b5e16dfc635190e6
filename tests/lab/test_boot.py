# SPDX-License-Identifier: Apache-2.0
"""What a command finds in the lab, and what the lab makes of a command or a machine that fails.

A boot costs seconds, so one boot of each kernel answers for most of this (`inside.py` runs there).
"""

import hashlib
import json
import os
import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hauberk import lab
from hauberk.lab import vm

pytestmark = pytest.mark.lab

INPUT = random.Random(1).randbytes(1_000_000)
BLOCK = bytes(range(256)) * 256


@dataclass
class Visit:
    """One run of inside.py: how it ended, what it found, and the directories that it was let loose on."""

    kernel: str
    done: lab.Completed
    found: dict[str, Any]
    writable: Path
    throwaway: Path
    readonly: Path
    started: float
    ended: float


@pytest.fixture(scope="module", params=lab.SERIES)
def visit(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Visit:
    here = Path(__file__).parent
    base = tmp_path_factory.mktemp("visit")
    writable, throwaway, readonly = (base / name for name in ("writable, kept", "throwaway", "readonly"))
    for directory in (writable, throwaway, readonly):
        directory.mkdir()
    (throwaway / "there-before").write_text("as it was")
    (readonly / "gone").write_text("still here")
    argv = [sys.executable, str(here / "inside.py"), str(writable), str(throwaway), str(readonly)]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(base)
        patch.setenv("HAUBERK_PASSED", "yes")
        patch.setenv("SECRET_TOKEN", "stays here")
        started = time.time()
        done = lab.capture(argv, lab.Options(kernel=request.param, writable=(writable,)), stdin=INPUT)
        ended = time.time()
    report = writable / "found.json"
    assert report.is_file(), done.stderr[-2000:]
    found = json.loads(report.read_text())
    return Visit(request.param, done, found, writable, throwaway, readonly, started, ended)


def test_the_kernel_is_the_one_asked_for_and_has_bpf_among_its_lsms(visit: Visit) -> None:
    assert visit.found["release"].startswith(visit.kernel + ".")
    assert "bpf" in visit.found["lsm"]


def test_the_status_of_the_command_is_the_status(visit: Visit) -> None:
    assert visit.done.status == 42


def test_output_is_complete_and_exact_and_the_streams_are_apart(visit: Visit) -> None:
    assert len(visit.done.stdout) == 80 * len(BLOCK) > 5_000_000
    assert hashlib.sha256(visit.done.stdout).digest() == hashlib.sha256(BLOCK * 80).digest()
    assert visit.done.stderr == BLOCK[::-1]


def test_input_arrives_whole_and_ends(visit: Visit) -> None:
    assert visit.found["stdin"] == hashlib.sha256(INPUT).hexdigest()


def test_what_is_written_does_not_reach_this_machine(visit: Visit) -> None:
    assert visit.found["throwaway"] == ["made-in-the-lab", "there-before"]
    assert [path.name for path in visit.throwaway.iterdir()] == ["there-before"]
    assert (visit.throwaway / "there-before").read_text() == "as it was"
    assert (visit.readonly / "gone").read_text() == "still here"


def test_what_is_written_to_a_writable_directory_stays(visit: Visit) -> None:
    assert (visit.writable / "kept").read_bytes() == INPUT


def test_the_command_is_root_in_the_same_directory(visit: Visit) -> None:
    assert visit.found["uid"] == 0
    assert visit.found["cwd"] == str(visit.throwaway.parent)


def test_only_the_environment_that_is_named_is_passed(visit: Visit) -> None:
    environment = visit.found["environment"]
    assert environment["HAUBERK_PASSED"] == "yes"
    assert environment["PATH"] == os.environ["PATH"]
    assert "SECRET_TOKEN" not in environment


def test_the_clock_is_this_machines(visit: Visit) -> None:
    assert visit.started - 2 <= visit.found["time"] <= visit.ended + 2


def test_the_usual_file_systems_are_mounted(visit: Visit) -> None:
    expected = {
        "/": "overlay",
        "/proc": "proc",
        "/sys": "sysfs",
        "/dev": "devtmpfs",
        "/dev/pts": "devpts",
        "/dev/shm": "tmpfs",
        "/run": "tmpfs",
        "/sys/fs/cgroup": "cgroup2",
        "/sys/fs/bpf": "bpf",
        "/sys/kernel/security": "securityfs",
        "/sys/kernel/tracing": "tracefs",
    }
    assert {place: visit.found["mounts"].get(place) for place in expected} == expected


def test_the_standard_streams_have_their_names_in_dev(visit: Visit) -> None:
    assert visit.found["links"]["stdout"] == "/proc/self/fd/1"


def test_the_network_is_loopback_only_and_up(visit: Visit) -> None:
    assert visit.found["interfaces"] == ["lo"]
    assert visit.found["loopback"] is True


def test_the_modules_of_the_kernel_can_be_loaded(visit: Visit) -> None:
    assert visit.found["module"] is True


def test_a_panic_is_a_lost_machine_and_its_last_words_are_kept() -> None:
    with pytest.raises(lab.LostVMError, match="before the command reported its status") as caught:
        lab.capture(["sh", "-c", "echo c > /proc/sysrq-trigger"])
    assert "Kernel panic" in caught.value.console


def test_a_kernel_that_does_not_come_up_is_a_lost_machine() -> None:
    with pytest.raises(lab.LostVMError, match="while it was booting") as caught:
        lab.capture(["true"], lab.Options(append="rdinit=/none root=/none"))
    assert "Kernel panic" in caught.value.console


def test_a_machine_without_a_sign_of_life_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vm, "BOOT_SILENCE_SECONDS", 0.1)
    with pytest.raises(lab.LostVMError, match="no sign of life"):
        lab.capture(["true"])


def test_a_machine_that_cannot_be_made_says_why() -> None:
    with pytest.raises(lab.LostVMError, match="memory"):
        lab.capture(["true"], lab.Options(memory="99999999G"))


def test_time_counts_instructions_when_asked_to() -> None:
    """A loop takes the same guest time whenever it runs, but for a hair; by a real clock it does not."""
    script = (
        "import time\n"
        "def once():\n"
        "    before = time.monotonic_ns()\n"
        "    for _ in range(20000): pass\n"
        "    return time.monotonic_ns() - before\n"
        "print(*(once() for _ in range(60)))\n"
    )
    done = lab.capture([sys.executable, "-I", "-S", "-c", script], lab.Options(icount=True))
    assert (done.status, done.stderr) == (0, b"")
    times = sorted(map(int, done.stdout.split()))
    assert len(times) == 60
    assert times[10] < times[0] * 1.003
