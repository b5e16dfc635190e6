# SPDX-License-Identifier: Apache-2.0
"""`hauberk run` on any kernel: statuses, streams, and what it refuses before the command has begun."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HAUBERK = str(Path(sys.executable).with_name("hauberk"))
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")

POLICY = """
apiVersion: security.kubearmor.com/v1
kind: KubeArmorPolicy
metadata: {name: web, namespace: default}
spec:
  selector: {matchLabels: {app: web}}
  file: {matchPaths: [{path: /etc/shadow}]}
"""


def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [HAUBERK, "run", *arguments], capture_output=True, text=True, check=False, timeout=120, **options
    )


def plain(*command: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """A command under no policy at all."""
    return run("--allow-unselected", "--", *command, **options)


@pytest.fixture
def policy(tmp_path: Path) -> str:
    path = tmp_path / "web.yaml"
    path.write_text(POLICY)
    return str(path)


@pytest.mark.parametrize("status", [0, 3, 125])
def test_the_status_and_the_streams_are_the_commands(status: int) -> None:
    done = plain("sh", "-c", f"cat; echo to stderr >&2; exit {status}", input="through\n")
    assert (done.returncode, done.stdout, done.stderr) == (status, "through\n", "to stderr\n")


def test_a_signal_that_ends_the_command_ends_hauberk() -> None:
    assert plain("sh", "-c", "kill -TERM $$").returncode == -15
    done = subprocess.run(
        ["sh", "-c", f"{HAUBERK} run --allow-unselected -- sh -c 'kill -9 $$'; echo $?"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "137\n"


@pytest.mark.parametrize(
    ("command", "status", "message"),
    [
        ("/no/such/program", 127, "hauberk: /no/such/program: No such file or directory\n"),
        ("no-such-program", 127, "hauberk: no-such-program: No such file or directory\n"),
        ("/proc/version", 126, "hauberk: /proc/version: Permission denied\n"),
        ("/", 126, "hauberk: /: Permission denied\n"),
    ],
)
def test_a_command_that_cannot_start_is_told_as_by_env(command: str, status: int, message: str) -> None:
    done = plain(command)
    assert (done.returncode, done.stdout, done.stderr) == (status, "", message)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Missing argument 'COMMAND...'"),
        (["--", "true"], "give a --policy, or --allow-unselected"),
        (["--nonsense", "--", "true"], "No such option"),
        (["--allow-unselected", "--label", "app", "--", "true"], "'app' is not of the form KEY=VALUE"),
        (
            ["--allow-unselected", "--posture", "files=block", "--", "true"],
            "'files=block': give file, network",
        ),
        (["--allow-unselected", "--visibility", "ima", "--", "true"], "'ima' is none of process, file"),
        (["--allow-unselected", "--root", "/no/such/root", "--", "true"], "'/no/such/root' does not exist"),
        (["--allow-unselected", "--alerts", "/no/such/a", "--", "true"], "cannot open /no/such/a"),
        (
            ["--allow-unselected", "--status", "/no/such/s", "--", "true"],
            "cannot write the status to /no/such/s",
        ),
        (["-p", "/no/such/policy", "--", "true"], "/no/such/policy: cannot be read: No such file"),
    ],
)
def test_what_hauberk_itself_refuses_has_status_125(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    mark = tmp_path / "mark"
    done = run(*["touch" if each == "true" else each for each in arguments], *[str(mark)] * bool(arguments))
    assert done.returncode == 125
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not mark.exists()


def test_a_policy_that_selects_nothing_is_refused_with_the_nearest_labels(policy: str) -> None:
    done = run("-p", policy, "-l", "app=wbe", "--", "echo", "ran")
    assert (done.returncode, done.stdout) == (125, "")
    assert "none of these policies selects this workload" in done.stderr
    assert "KubeArmorPolicy default/web wants app=web, the workload has app=wbe" in done.stderr
    assert "--allow-unselected" in done.stderr
    allowed = run("-p", policy, "-l", "app=wbe", "--allow-unselected", "--", "echo", "ran")
    assert (allowed.returncode, allowed.stdout, allowed.stderr) == (0, "ran\n", "")


def test_policies_come_from_standard_input_too(policy: str) -> None:
    done = run("-p", "-", "--", "true", input=POLICY.replace("path:", "pth:"))
    assert done.returncode == 125
    assert "<stdin>:7" in done.stderr
    assert "spec.file.matchPaths[0]" in done.stderr


def test_how_the_policies_stand_is_there_as_json(policy: str, tmp_path: Path) -> None:
    status = tmp_path / "status.json"
    done = run("--status", str(status), "-p", policy, "--allow-unselected", "--", "sh", "-c", "exit 3")
    assert done.returncode == 3
    document = json.loads(status.read_text())
    assert document["policies"] == []  # none selects it
    assert document["ended"]["status"] == 3
    assert document["ended"]["lost"] == {"violations": 0, "events": 0, "corrupt": 0, "sinks": 0}


def test_a_closed_stream_is_closed_for_the_command_and_hurts_nobody(policy: str) -> None:
    look = "for fd in 0 1 2; do [ -e /proc/$$/fd/$fd ] && echo $fd; done; :"
    done = subprocess.run(
        ["sh", "-c", f"exec {HAUBERK} run --allow-unselected -- sh -c '{look}' <&- 2>&-"],
        stdout=subprocess.PIPE,
        check=True,
    )
    assert done.stdout == b"1\n"
    refused = f"{HAUBERK} run -p {policy} -- true 2>&-"
    assert subprocess.run(["sh", "-c", refused], check=False).returncode == 125


def test_output_that_nobody_reads_is_no_defect() -> None:
    done = subprocess.run(
        ["sh", "-c", f"{{ {HAUBERK} policy base; echo $? >&2; }} | true"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == "1\n" or done.stderr == "0\n"  # the reader may be quicker or slower


@needs_root
def test_the_root_is_the_commands_and_nobody_elses(tmp_path: Path) -> None:
    root = tmp_path / "root"
    for name in ("usr", "proc", "etc", "dev"):
        (root / name).mkdir(parents=True)
    for name in ("bin", "lib", "lib64"):
        (root / name).symlink_to(f"usr/{name}")
    (root / "etc/marker").write_text("inside\n")
    script = f"""
        mount --rbind /usr {root}/usr
        cd {tmp_path}
        {HAUBERK} run --allow-unselected --root root -- sh -c 'pwd; cat /etc/marker; ls -d /proc/1 {tmp_path}'
        grep -c {root}/proc /proc/mounts
    """
    done = subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout == "/\ninside\n/proc/1\n0\n"
    assert f"cannot access '{tmp_path}'" in done.stderr


@needs_root
def test_in_a_pid_namespace_it_wants_the_proc_of_that_namespace() -> None:
    command = [HAUBERK, "run", "--allow-unselected", "--", "echo", "ran"]
    alone = subprocess.run(["unshare", "-pf", *command], capture_output=True, text=True, check=False)
    assert (alone.returncode, alone.stdout) == (125, "")
    assert "/proc shows the processes of another PID namespace" in alone.stderr
    assert "mount -t proc proc /proc" in alone.stderr
    whole = ["unshare", "-pf", "--mount-proc", *command]
    assert subprocess.run(whole, capture_output=True, text=True, check=True).stdout == "ran\n"


def test_help_has_examples_and_every_option_a_text() -> None:
    for command in ([], ["run"], ["version"], ["completion"]):
        text = subprocess.run([HAUBERK, *command, "-h"], capture_output=True, text=True, check=True).stdout
        assert "Example" in text, command
    from hauberk.cli.run import run as command_object

    for parameter in command_object.params:
        assert parameter.param_type_name == "argument" or getattr(parameter, "help", None), parameter.name
