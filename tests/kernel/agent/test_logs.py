# SPDX-License-Identifier: Apache-2.0
"""What was refused on the node is told later, whatever has become of the agent meanwhile."""

import json
import signal
import subprocess
import time
from pathlib import Path

from tests.kernel.agent.agent import GROUND, Agent, run
from tests.kernel.agent.test_host import file_rule, host_policy
from tests.kernel.run.hauberk import HAUBERK, until


def told(*arguments: str) -> list[dict[str, object]]:
    """What `hauberk logs` prints."""
    done = subprocess.run(
        [HAUBERK, "logs", "-o", "jsonl", *arguments], capture_output=True, text=True, check=True
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_refusal_is_in_the_logs_after_the_agent_was_killed_and_started_anew(
    agent: Agent, secret: Path
) -> None:
    begin = str(int(time.time()) - 3600)
    agent.apply(host_policy("kept", file_rule(secret)))
    assert run("cat", str(secret)).returncode == 1
    since = ("--since", "1h", "--policy", "kept")
    until(lambda: bool(told(*since)), "the refusal in the history")
    before = told(*since)
    assert (before[0]["Resource"], before[0]["Action"]) == (str(secret), "Block")
    assert before[0]["Timestamp"] >= int(begin)  # type: ignore[operator]
    agent.end(signal.SIGKILL)

    # Without an agent the file is read, and what the kernel still refuses waits.
    history = GROUND / "state" / "history.db"
    assert told(*since, "--history", str(history)) == before
    assert run("head", "-c1", str(secret)).returncode == 1

    agent.start()
    until(lambda: len(told(*since)) > len(before), "what was refused meanwhile")
    after = told(*since)
    assert after[: len(before)] == before
    assert after[-1]["Source"] == "/usr/bin/head"
    numbers = [event["Hauberk"]["Number"] for event in after]  # type: ignore[index]
    assert numbers == sorted(set(numbers))
