# SPDX-License-Identifier: Apache-2.0
"""What else takes events, with the whole agent: the machine's logs, and hashes. At the far end of the logs
is a socket of this test's, bound where the real services have theirs; with those, tests/sinks knows what is
sent.
"""

import hashlib
import json
import os
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hauberk.sinks.log_records import JOURNAL, SYSLOG
from tests.kernel.agent.agent import PATIENCE, Agent, run
from tests.kernel.agent.test_host import file_rule, host_policy
from tests.kernel.agent.test_logs import told
from tests.kernel.run.hauberk import until


@pytest.fixture
def service(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    """The socket of a log service, at the place that the test names."""
    path = Path(request.param)
    if path.exists():
        pytest.skip(f"somebody has {path} already")
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as service:
        service.bind(request.param)
        path.chmod(0o666)
        service.settimeout(PATIENCE)
        yield service
    path.unlink()


def started(agent: Agent, **settings: object) -> None:
    agent.end()
    agent.start(**settings)


def record_with(service: socket.socket, what: bytes) -> bytes:
    """The first record that holds these bytes."""
    while what not in (record := service.recv(1 << 20)):
        pass
    return record


@pytest.mark.parametrize("service", [SYSLOG], indirect=True)
def test_a_refusal_is_in_syslog(agent: Agent, secret: Path, service: socket.socket) -> None:
    started(agent, alsoTo=["syslog"])
    agent.apply(host_policy("to-syslog", file_rule(secret)))
    assert run("cat", str(secret)).returncode == 1
    head, _, text = record_with(service, b"to-syslog").partition(b" {")
    assert head.startswith(b"<84>1 ")
    assert head.endswith(b" node-1 hauberk - alert -")
    alert = json.loads(b"{" + text)
    assert (alert["Resource"], alert["Action"]) == (str(secret), "Block")
    started(agent)


@pytest.mark.parametrize("service", [JOURNAL], indirect=True)
def test_a_refusal_is_in_the_journal(agent: Agent, secret: Path, service: socket.socket) -> None:
    started(agent, alsoTo=["journald"])
    agent.apply(host_policy("to-journal", file_rule(secret)))
    assert run("cat", str(secret)).returncode == 1
    fields = record_with(service, b"to-journal").split(b"\n")
    assert {
        b"SYSLOG_IDENTIFIER=hauberk",
        b"PRIORITY=4",
        b"HAUBERK_POLICY=to-journal",
        b"HAUBERK_RESOURCE=" + os.fsencode(secret),
    } <= set(fields)
    started(agent)


def test_what_is_told_has_hashes_if_they_are_asked_for(agent: Agent, secret: Path) -> None:
    started(agent, enableIMA=True)
    digest = hashlib.sha256(secret.read_bytes()).hexdigest()
    agent.apply(host_policy("hashed", file_rule(secret)))
    since = ("--since", "1h", "--policy", "hashed")

    def hashed() -> list[dict[str, Any]]:
        # No event waits long for its hashes: on a slow machine the first goes without them.
        assert run("cat", str(secret)).returncode == 1
        return [each for each in told(*since) if "HashAlgo" in each]

    until(lambda: bool(hashed()), "a refusal with hashes in the history")
    alert = hashed()[-1]
    cat = Path(os.path.realpath("/bin/cat"))
    assert alert["HashAlgo"] == "sha256"
    assert alert["ProcessHash"] == hashlib.sha256(cat.read_bytes()).hexdigest()
    assert alert["ResourceHash"] == digest
    started(agent)
