# SPDX-License-Identifier: Apache-2.0
"""`hauberk lab`: its options, and how it says what ended a run."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

import hauberk.lab
from hauberk.cli.lab import lab
from hauberk.lab import kernels


class Run:
    """Stands for hauberk.lab.run: notes what it was called with, and ends as it was told to."""

    def __init__(self, outcome: int | Exception) -> None:
        self.outcome = outcome
        self.argv: Sequence[str] = ()
        self.options = hauberk.lab.Options()

    def __call__(
        self, argv: Sequence[str], options: hauberk.lab.Options, *, progress: kernels.Progress
    ) -> int:
        self.argv, self.options = argv, options
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def invoke(
    monkeypatch: pytest.MonkeyPatch, outcome: int | Exception, *arguments: str
) -> tuple[Run, int, str]:
    run = Run(outcome)
    monkeypatch.setattr(hauberk.lab, "run", run)
    result = CliRunner().invoke(lab, ["run", *arguments])
    return run, result.exit_code, result.stderr


def test_the_options_reach_the_lab_and_the_commands_own_options_the_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options = ["--kernel", "6.1", "--icount", "--memory", "1G", "--append", "lsm=bpf"]
    directories = ["--writable", "a b", "--writable", "c"]
    run, status, _ = invoke(monkeypatch, 3, *options, *directories, "--", "ls", "--memory", "-l")
    assert status == 3
    assert list(run.argv) == ["ls", "--memory", "-l"]
    assert run.options == hauberk.lab.Options("6.1", True, "1G", "lsm=bpf", (Path("a b"), Path("c")))


def test_the_default_is_the_newer_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    run, _, _ = invoke(monkeypatch, 0, "--", "true")
    assert run.options.kernel == "6.12"


def test_a_lost_machine_is_125_and_says_that_it_was_not_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    lost = hauberk.lab.LostVMError("the virtual machine ended", "Kernel panic - not syncing")
    _, status, err = invoke(monkeypatch, lost, "--", "make")
    assert status == 125
    assert "This was the machine, not the command make." in err
    assert "Kernel panic" in err


def test_a_fault_of_the_set_up_is_125_and_brings_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    _, status, err = invoke(
        monkeypatch, hauberk.lab.MissingToolError("no qemu", "apt-get install it"), "--", "make"
    )
    assert status == 125
    assert "no qemu" in err
    assert "apt-get install it" in err


def test_a_signal_during_the_boot_has_the_status_that_a_shell_gives_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert invoke(monkeypatch, hauberk.lab.Interrupted(15), "--", "make")[1] == 143


def test_a_command_is_asked_for() -> None:
    assert CliRunner().invoke(lab, ["run"]).exit_code == 2


def test_a_writable_directory_must_be_there_and_not_be_the_root() -> None:
    with pytest.raises(hauberk.lab.LabError, match="no such directory"):
        hauberk.lab.capture(["true"], hauberk.lab.Options(writable=(Path("/no/such"),)))
    with pytest.raises(hauberk.lab.LabError, match="/ cannot be writable"):
        hauberk.lab.capture(["true"], hauberk.lab.Options(writable=(Path("/"),)))


def test_the_kernels_that_are_cached_or_could_be_are_listed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HAUBERK_CACHE", str(tmp_path))
    base = tmp_path / "kernels/some"
    (base / "lib/modules/6.5.1-amd64").mkdir(parents=True)
    (base / "lib/modules/6.5.1-amd64/modules.dep").touch()
    (base / "boot").mkdir()
    (base / "boot/vmlinuz-6.5.1-amd64").touch()
    monkeypatch.setattr(kernels, "available_packages", lambda: ["linux-image-6.5.2-amd64"])
    lines = CliRunner().invoke(lab, ["kernels"]).stdout.splitlines()
    assert [line.split() for line in lines] == [
        ["cached", "6.5.1-amd64", str(base / "boot/vmlinuz-6.5.1-amd64")],
        ["available", "6.5.2-amd64", "linux-image-6.5.2-amd64"],
    ]
