# SPDX-License-Identifier: Apache-2.0
"""What is reported though it is permitted changes while the agent runs."""

import json
import sys
from collections.abc import Sequence

from hauberk.agent.control.client import ask
from hauberk.agent.control.messages import Visibility
from tests.kernel.agent.agent import PATIENCE, Agent, run
from tests.kernel.run.hauberk import until


def see(sections: Sequence[str]) -> dict[str, tuple[str, ...]]:
    return ask(Visibility(workload="host", sections=tuple(sections)), timeout=PATIENCE).scopes


QUERY = """
import socket, struct, sys
name = sys.argv[1].encode()
header = struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, 0)
question = bytes((len(name),)) + name + bytes(1) + struct.pack(">HH", 1, 1)
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    s.sendto(header + question, ("127.0.0.1", 53))
"""


def ask_for(name: str) -> None:
    """Have a process of the host send a query, which nobody answers."""
    run(sys.executable, "-c", QUERY, name).check_returncode()


def asked(agent: Agent) -> set[str]:
    """The names that logs tell of."""
    if not agent.alerts_file.exists():
        return set()
    events = map(json.loads, agent.alerts_file.read_text().splitlines())
    return {event["EventData"].get("Domain", "") for event in events if event["Operation"] == "Network"}


def test_queries_are_told_from_when_they_are_to_be_seen_until_they_are_not(agent: Agent) -> None:
    ask_for("before")
    assert see(["dns"])["workload host"] == ("dns",)

    def is_told() -> bool:
        ask_for("while")
        return "while" in asked(agent)

    until(is_told, "a log of a query")
    agent.end()
    agent.start()
    assert ask(Visibility(), timeout=PATIENCE).scopes["workload host"] == ("dns",)
    scopes = see(["default"])
    assert "workload host" not in scopes
    ask_for("after")
    see(["dns"])
    ask_for("last")
    until(lambda: "last" in asked(agent), "a log of the last query")
    assert not {"before", "after"} & asked(agent)
    see(["default"])
