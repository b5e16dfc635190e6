# SPDX-License-Identifier: Apache-2.0
"""`hauberk adopt`: runs whose Hauberk was killed, looked after again by the real command."""

import json
import signal
from pathlib import Path

from tests.kernel.run.hauberk import HAUBERK, Run, block, pinned, start, start_process, until


def adopt(directory: Path, *arguments: str) -> Run:
    """Start `hauberk adopt`, with its files in `directory`."""
    files = ("--alerts", str(directory / "alerts.jsonl"), "--status", str(directory / "status.json"))
    return start_process(directory, [HAUBERK, "adopt", *files, *arguments])


def kill(run: Run) -> None:
    run.process.send_signal(signal.SIGKILL)
    assert run.process.wait() == -signal.SIGKILL


def enforced(run: Run) -> list[str]:
    """Which policies the status names as in force."""
    try:
        return [policy["name"] for policy in run.report["policies"] if policy["state"] == "enforced"]
    except (FileNotFoundError, json.JSONDecodeError):
        return []


def directories(path: Path, *names: str) -> list[Path]:
    for name in names:
        (path / name).mkdir()
    return [path / name for name in names]


def test_a_killed_run_is_adopted_with_its_alerts_gets_other_policies_and_is_freed_in_the_end(
    tmp_path: Path, secret: Path
) -> None:
    first, second = directories(tmp_path, "first", "second")
    other, out = tmp_path / "other", tmp_path / "out"
    other.write_text("of the other\n")
    steps = [tmp_path / f"step{number}" for number in range(3)]

    def wait(step: Path) -> str:
        return f"while [ ! -e {step} ]; do sleep 0.1; done"

    both = f"cat {secret} {other} >>{out} 2>&1"
    script = f"touch {steps[0]}; {wait(steps[1])}; {both}; echo >>{out}; {wait(steps[2])}; {both}"
    run = start(first, block(str(secret)), "sh", "-c", script, options=("--name", "web"))
    run.until(steps[0].exists, "the command's beginning")
    kill(run)
    # Nobody reads now; what is refused is refused all the same.
    steps[1].touch()
    until(lambda: out.exists() and out.read_text().endswith("\n\n"), "the first refusal")
    assert run.alerts == []

    policy = block(str(other)).replace("name: secrets", "name: others") + "  process:\n    matchPaths:\n"
    (second / "policy.yaml").write_text(
        policy + "    - path: /usr/bin/id\n  network: {matchProtocols: [{protocol: raw}]}\n"
    )
    adopted = adopt(second, "-p", str(second / "policy.yaml"), "web")
    adopted.until(lambda: enforced(adopted) == ["others"], "the other policy")
    steps[2].touch()
    adopted.finish()
    run.process.communicate()
    assert adopted.status == 0, adopted.stderr
    assert out.read_text() == (
        f"cat: {secret}: Permission denied\nof the other\n\nthe secret\ncat: {other}: Permission denied\n"
    )
    told = [(alert["PolicyName"], alert["Resource"]) for alert in adopted.alerts]
    assert told == [("secrets", str(secret)), ("others", str(other))]
    assert {alert["ContainerName"] for alert in adopted.alerts} == {"web"}
    assert (adopted.report["ended"]["refused"], adopted.report["ended"]["tasks_left"]) == (2, 0)
    assert pinned() == []


def test_runs_are_listed_left_and_taken_up_again(tmp_path: Path, secret: Path) -> None:
    go = tmp_path / "go"
    script = f"touch $0; while [ ! -e {go} ]; do sleep 0.1; done; cat {secret}"
    runs = []
    for name in ("one", "two"):
        (directory,) = directories(tmp_path, name)
        began = directory / "began"
        run = start(directory, block(str(secret)), "sh", "-c", script, str(began), options=("--name", name))
        run.until(began.exists, "the command's beginning")
        runs.append(run)
    told = adopt(tmp_path).finish()
    assert told.status == 125
    assert "there is no run that nobody looks after" in told.stderr or "looks after it already" in told.stderr
    for run in runs:
        kill(run)
    told = adopt(tmp_path).finish()
    assert told.status == 125
    assert "there are 2 runs that nobody looks after:" in told.stderr
    assert all(path.name in told.stderr for path in pinned())

    # A policy with a fault changes nothing, and the run is free to be adopted.
    (tmp_path / "faulty.yaml").write_text("kind: [")
    assert adopt(tmp_path, "-p", str(tmp_path / "faulty.yaml"), "one").finish().status == 125
    left = adopt(tmp_path, "one")
    left.until(lambda: enforced(left) == ["secrets"], "the adoption")
    left.process.send_signal(signal.SIGINT)
    assert left.finish().status == -signal.SIGINT
    assert "confined tasks go on" in left.stderr
    assert len(pinned()) == 2

    for name in ("one", "two"):
        (tmp_path / name / "status.json").unlink()
    last = [adopt(tmp_path / name, name) for name in ("one", "two")]
    for each in last:
        each.until(lambda: enforced(each) == ["secrets"], "the adoption")  # noqa: B023
    go.touch()
    for each in last:
        assert each.finish().status == 0, each.stderr
        assert [alert["Resource"] for alert in each.alerts] == [str(secret)]
    for run in runs:
        run.process.communicate()
    assert pinned() == []
