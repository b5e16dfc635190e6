# SPDX-License-Identifier: Apache-2.0
"""Runs on a real kernel: what is refused, told and counted, in which place, and for how long."""

import signal
import subprocess
from pathlib import Path
from typing import Any

from hauberk.enforcers.bpf_lsm.lease import sweep
from tests.kernel.run.hauberk import HAUBERK, Run, block, pinned, start, until

MAX_RESIDENT_KIB = 60 * 1024


def told(alerts: list[dict[str, Any]]) -> int:
    """How many accesses alerts stand for."""
    return sum(alert["Hauberk"].get("Count", 1) for alert in alerts)


def test_a_refusal_is_told_in_the_alerts_in_the_status_and_in_the_end(tmp_path: Path, secret: Path) -> None:
    memory = tmp_path / "memory"
    script = f"cat {secret} || cat {secret}; grep -E 'VmHWM|VmRSS' /proc/$PPID/status > {memory}; exit 3"
    run = start(tmp_path, block(str(secret)), "sh", "-c", script).finish()
    assert (run.status, run.stdout) == (3, "")
    assert run.stderr.count(f"cat: {secret}: Permission denied\n") == 2
    assert f"refused 2 x File, by secrets spec.file.matchPaths[0]; last: {secret}" in run.stderr
    assert [alert["Resource"] for alert in run.alerts] == [str(secret)] * 2
    assert [alert["Hauberk"].get("Count", 1) for alert in run.alerts] == [1, 1]
    assert run.report["enforced"] is True
    assert run.report["policies"] == [
        {
            "kind": "KubeArmorPolicy",
            "namespace": "default",
            "name": "secrets",
            "state": "enforced",
            "reasons": [],
        }
    ]
    ended = run.report["ended"]
    assert (ended["status"], ended["refused"], ended["tasks_left"]) == (3, 2, 0)
    assert not any(ended["lost"].values())
    assert not any(ended["counters"].values())
    print(memory.read_text())
    resident = [int(line.split()[1]) for line in memory.read_text().splitlines()]
    assert len(resident) == 2
    assert max(resident) <= MAX_RESIDENT_KIB


def test_descendants_stay_confined_after_hauberk_and_the_last_one_frees_the_tables(
    tmp_path: Path, secret: Path
) -> None:
    go, out = tmp_path / "go", tmp_path / "out"
    later = f"while [ ! -e {go} ]; do sleep 0.1; done; cat {secret}; echo $?; cat {secret}; cat {secret}"
    script = f"cat {secret}; cat {secret}; ({later}) >{out} 2>&1 </dev/null & exit 4"
    run = start(tmp_path, block(str(secret)), "sh", "-c", script).finish()
    assert run.status == 4
    assert "go on in the background" in run.stderr
    assert run.report["ended"]["tasks_left"] >= 1
    assert len(pinned()) == 1
    assert run.report["ended"]["refused"] == told(run.alerts) == 2
    go.touch()
    until(lambda: not pinned(), "the end of the tables")
    denied = f"cat: {secret}: Permission denied\n"
    assert out.read_text() == f"{denied}1\n{denied * 2}"
    until(lambda: run.report["ended"]["tasks_left"] == 0, "the last status")
    assert run.report["ended"]["refused"] == told(run.alerts) == 5
    assert {alert["Resource"] for alert in run.alerts} == {str(secret)}


def test_killed_hauberk_leaves_its_command_confined_and_the_next_run_sweeps(
    tmp_path: Path, secret: Path
) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    go, out, began = tmp_path / "go", tmp_path / "out", tmp_path / "began"
    script = f"touch {began}; while [ ! -e {go} ]; do sleep 0.1; done; cat {secret} >{out} 2>&1"
    first = start(tmp_path / "first", block(str(secret)), "sh", "-c", script)
    first.until(began.exists, "the first command's beginning")
    (left,) = pinned()
    first.process.send_signal(signal.SIGKILL)
    # Its pipes stay open in the command, so this waits for the process only.
    assert first.process.wait() == -signal.SIGKILL

    # Two at once, one of them without its Hauberk: neither hinders the other, and what is in use is not
    # swept.
    other = tmp_path / "other"
    other.write_text("of the second\n")
    second = start(tmp_path / "second", block(str(other)), "sh", "-c", f"cat {other}; cat {secret}").finish()
    assert second.status == 0
    assert second.stdout == "the secret\n"
    assert second.report["ended"]["refused"] == 1
    assert pinned() == [left]
    assert sweep() == 0

    go.touch()
    first.process.communicate()  # until the command has let go of the pipes
    assert out.read_text() == f"cat: {secret}: Permission denied\n"
    until(lambda: sweep() == 1, "the sweep of what nobody needs")
    assert pinned() == []


def while_stopped(directory: Path, policy: str, script: str) -> Run:
    """A run whose Hauberk is stopped while its command does `script`. From outside: the command may not."""
    begun, stopped, done, over = (directory / name for name in ("begun", "stopped", "done", "over"))

    def wait(step: Path) -> str:
        return f"while [ ! -e {step} ]; do sleep 0.1; done"

    steps = f"touch {begun}; {wait(stopped)}\n{script}\ntouch {done}; {wait(over)}"
    run = start(directory, policy, "bash", "-c", steps)
    run.until(begun.exists, "the command's beginning")
    run.process.send_signal(signal.SIGSTOP)
    stopped.touch()
    try:
        until(done.exists, "the end of what it does")
    finally:
        run.process.send_signal(signal.SIGCONT)
        over.touch()
    run.finish()
    assert (run.status, run.stdout) == (0, "")
    return run


def test_a_full_ring_loses_reports_but_no_refusal_and_says_how_many(tmp_path: Path, secret: Path) -> None:
    tries = 6000
    kept = tmp_path / "kept"
    kept.mkdir()
    script = f"""
        make_them() {{ while [ $n -lt {tries} ]; do n=$((n+1)); : > {kept}/$n && echo MADE; done; }}
        n=0; make_them 2>/dev/null
    """
    policy = block(str(secret)).replace("action:", f"  matchDirectories: [{{dir: {kept}/}}]\n  action:")
    # A failed redirection ends dash's command only in bash's way of `:`.
    run = while_stopped(tmp_path, policy, script)
    ended = run.report["ended"]
    assert ended["lost"]["violations"] > 0
    assert ended["lost"]["violations"] == ended["counters"]["lost_violations"]
    assert ended["refused"] + ended["lost"]["violations"] == tries
    assert len(run.alerts) == ended["refused"] > 0
    lost = ended["lost"]["violations"]
    assert f"LOST: {lost} alerts, for which the kernel's ring had no room" in run.stderr


def test_repeats_while_nobody_reads_are_all_counted(tmp_path: Path, secret: Path) -> None:
    tries = 6000
    script = f"""
        read_it() {{ while [ $n -lt {tries} ]; do n=$((n+1)); : < {secret} && echo READ; done; }}
        n=0; read_it 2>/dev/null
    """
    run = while_stopped(tmp_path, block(str(secret)), script)
    ended = run.report["ended"]
    assert not any(ended["lost"].values())
    assert ended["refused"] == tries
    assert told(run.alerts) == tries
    first, second, *others = (alert["Hauberk"] for alert in run.alerts)
    assert "Count" not in first
    assert second["Count"] > 1
    assert second["FirstTime"] < second["LastTime"]
    # those of a second window, if the first was closed while the command ran
    assert len(others) <= 2
    assert f"refused {tries} x File, by secrets spec.file.matchPaths[0]; last: {secret}" in run.stderr


def test_a_full_disk_costs_alerts_but_neither_the_command_nor_its_status(
    tmp_path: Path, secret: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", disk], check=True)
    try:
        (disk / "ballast").write_bytes(bytes(4096))
        script = f"for i in 1 2 3; do cat {secret}; done; exit 5"
        run = start(tmp_path, block(str(secret)), "sh", "-c", script, alerts=str(disk / "alerts")).finish()
        assert run.status == 5
        assert "No space left on device" in run.stderr
        assert "LOST: 3 alerts or logs, which could not be written" in run.stderr
        assert run.report["ended"]["lost"]["sinks"] == 3
        assert run.report["ended"]["refused"] == 3
    finally:
        subprocess.run(["umount", disk], check=True)


def test_rules_speak_of_paths_inside_the_root_which_is_a_merged_usr(tmp_path: Path) -> None:
    root = tmp_path / "root"
    for name in ("usr", "proc", "etc", "opt"):
        (root / name).mkdir(parents=True)
    for name in ("bin", "lib", "lib64"):
        (root / name).symlink_to(f"usr/{name}")
    for path in (root / "etc/secret", root / "opt/open"):
        path.write_text(f"{path.name}\n")
    policy = (
        block("/etc/secret", f"{root}/opt/open")
        + """
  process:
    matchPaths:
    - path: /bin/sleep
"""
    )
    mounting = ("unshare", "-m", "sh", "-c", f'mount --rbind /usr {root}/usr; exec "$@"', "sh")
    script = "cat /opt/open; cat /etc/secret; /bin/sleep 0; /usr/bin/sleep 0; pwd"
    options = ("--root", str(root), "-v")
    run = start(tmp_path, policy, "sh", "-c", script, options=options, before=mounting).finish()
    assert (run.status, run.stdout) == (0, "open\n/\n")
    assert {"written": "/bin/sleep", "real": "/usr/bin/sleep"} in run.report["aliases"]
    assert "hauberk: /bin/sleep is /usr/bin/sleep\n" in run.stderr
    assert [(alert["Operation"], alert["Resource"]) for alert in run.alerts] == [
        ("File", "/etc/secret"),
        ("Process", "/usr/bin/sleep 0"),
        ("Process", "/usr/bin/sleep 0"),
    ]


def test_it_runs_in_a_pid_namespace_without_a_bpffs_and_leaves_none(tmp_path: Path, secret: Path) -> None:
    before = (
        *("unshare", "-mpf", "--mount-proc", "sh", "-c"),
        'umount /sys/fs/bpf && "$@"; s=$?; ls /sys/fs/bpf/hauberk; exit $s',
        "sh",
    )
    run = start(tmp_path, block(str(secret)), "sh", "-c", f"cat {secret}; exit 6", before=before).finish()
    assert (run.status, run.stdout) == (6, "")
    assert run.report["ended"]["refused"] == 1
    (alert,) = run.alerts
    assert alert["PID"] < alert["HostPID"]


def test_interrupted_while_it_loads_it_leaves_nothing(tmp_path: Path, secret: Path) -> None:
    run = start(tmp_path, block(str(secret)), "touch", str(tmp_path / "mark"))
    run.until(pinned, "the first pins")
    run.process.send_signal(signal.SIGINT)
    assert run.finish().status == -signal.SIGINT
    assert "Traceback" not in run.stderr
    assert not (tmp_path / "mark").exists()
    assert pinned() == []


def refused(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (125, ""), done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def test_what_the_machine_lacks_is_told_before_anything_runs(tmp_path: Path, secret: Path) -> None:
    (tmp_path / "policy.yaml").write_text(block(str(secret)))
    hauberk = f"{HAUBERK} run -p {tmp_path}/policy.yaml -- echo ran"

    def without(change: str) -> str:
        return refused("unshare", "-m", "sh", "-c", f"{change}; exec {hauberk}")

    told = without("mount -t tmpfs tmpfs /sys/kernel/btf")
    assert "the kernel does not describe its types (no /sys/kernel/btf/vmlinux)" in told
    assert "CONFIG_DEBUG_INFO_BTF" in told
    told = without("mount -t tmpfs tmpfs /sys/fs")
    assert "mounting a bpffs on /sys/fs/bpf: No such file or directory" in told
    assert "mount -t bpf bpf /sys/fs/bpf" in told


def test_what_is_degraded_is_refused_rule_by_rule(tmp_path: Path, secret: Path) -> None:
    policy = block(str(secret)).replace("  action: Block", "  presets: [{name: exec}]\n  action: Block")
    (tmp_path / "policy.yaml").write_text(policy)
    line = next(at for at, text in enumerate(policy.splitlines(), 1) if "presets" in text)
    told = refused(HAUBERK, "run", "-p", str(tmp_path / "policy.yaml"), "--", "echo", "ran")
    place = f"KubeArmorPolicy default/secrets: {tmp_path}/policy.yaml:{line}"
    assert f"{place}: spec.presets[0] is not enforced by this version\n" in told
    assert "--allow-unenforced" in told
