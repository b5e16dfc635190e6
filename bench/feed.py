# SPDX-License-Identifier: Apache-2.0
"""What full telemetry costs the agent, what is lost of it, and how long an alert takes to a gRPC client.

    python -m bench.feed [--kernel 6.12]

Records in the lab what a workload leaves in the rings all of whose execs and opens are visible. Then plays
that here, through the pipeline and the feeder with its history and a real gRPC client: as fast as the agent
can, for the processor time of both processes; and one alert after the other, for the time from the agent's
reading of the ring to the client. Prints a JSON object. With --record FILE it is what runs in the lab.
"""

import os
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import grpc

from bench.events import GENERATION, PLACE, POLICY, ROOT, WORKLOAD, record_or_measure, recorded, rules_of
from hauberk.agent.feeder.client import Feeder
from hauberk.agent.feeder.wire import Feeding, Grpc
from hauberk.api import feeder_pb2
from hauberk.enforcers.bpf_lsm import Engine
from hauberk.events.alert import Alert, Log
from hauberk.events.clock import Clock
from hauberk.events.identity import WorkloadIdentity
from hauberk.events.pipeline import Pipeline
from hauberk.events.translate import Translator
from hauberk.kernel.ring import records
from hauberk.rules.meaning import Meaning
from hauberk.rules.model import Seen
from hauberk.workloads.command import Command

EVENTS: Final = 100_000
LATENCIES: Final = 500
AHEAD: Final = 16
"""Batches of events of which the feeder has not said yet that it has them: a few megabytes."""
PAUSE: Final = 0.005
"""Seconds between two alerts whose latency is measured."""

WORKLOAD_CODE: Final = f"""
import os
for n in range(2000):
    os.close(os.open(f"{PLACE}/open/file-{{n}}", os.O_RDONLY))
for n in range(80):
    if os.fork() == 0:
        os.execv("{PLACE}/run", ["run", "install", "-y"] + [f"package-{{n}}"] * (n % 7))
    os.wait()
"""
"""Twenty-five opens for each exec, as of 50,000 opens and 2,000 execs a second."""


def record(file: Path) -> None:
    """Let a workload do what all of it is told of, and write the ring's batches to a file."""
    for n in range(2000):
        path = PLACE / "open" / f"file-{n}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (PLACE / "run").unlink(missing_ok=True)
    (PLACE / "run").symlink_to("/bin/true")
    engine = Engine.load(f"bench-{os.getpid()}", table_bytes=1 << 20)
    try:
        command = Command([sys.executable, "-c", WORKLOAD_CODE])
        engine.apply(WORKLOAD, Meaning(rules_of(POLICY)), command.pid, (Seen.PROCESS, Seen.FILE))
        engine.confine(WORKLOAD, command.pidfd)
        command.start()
        status = command.wait()
        command.close()
        if status or engine.counters()["lost_events"]:
            raise SystemExit(f"not all was recorded: status {status}, {engine.counters()}")
        with file.open("wb") as out:
            out.write(os.uname().release.encode().ljust(64))
            while batch := engine.events.drain():
                out.write(len(batch).to_bytes(4, "little") + batch)
    finally:
        engine.remove()


@contextmanager
def served(directory: Path) -> Iterator[tuple[Feeder, grpc.Channel]]:
    """A feeder that keeps a history and serves gRPC, and a channel to it."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    feeding = Feeding(
        cluster="default",
        node_name="bench",
        socket=str(directory / "agent.sock"),
        state_directory=str(directory),
        history_mib=64,
        grpc=Grpc(address="127.0.0.1", port=port),
    )
    feeder = Feeder(feeding)
    feeder.start(tuple)
    address = f"127.0.0.1:{port}"
    try:
        wait_until(feeder, lambda: f"gRPC at {address}" in feeder.told.listening)
        with grpc.insecure_channel(address) as channel:
            yield feeder, channel
    finally:
        feeder.close()


def wait_until(feeder: Feeder, what: Any) -> None:
    deadline = time.monotonic() + 120
    while not what():
        if time.monotonic() > deadline:
            raise SystemExit(f"the feeder has not come to it: {feeder.told}, {feeder.findings}")
        feeder.on_ready()
        time.sleep(0.001)


class Counted:
    """The feeder as a sink whose writes are counted: it numbers and confirms each."""

    lost = 0

    def __init__(self, feeder: Feeder) -> None:
        self._feeder = feeder
        self.writes = 0

    def write(self, events: Sequence[Alert | Log]) -> None:
        """See `Sink`."""
        self.writes += 1
        self._feeder.write(events)

    def flush(self) -> None:
        """See `Sink`."""
        self._feeder.flush()

    def close(self) -> None:
        """See `Sink`."""


def pipeline_to(sink: Counted) -> Pipeline:
    translator = Translator(Clock())
    identity = WorkloadIdentity(
        cluster_name="default",
        host_name="bench",
        namespace="default",
        labels={"app": "web"},
        container_name="run",
    )
    translator.add_workload(WORKLOAD, identity)
    translator.add_rules(WORKLOAD, GENERATION, rules_of(POLICY).rules)
    return Pipeline(translator, [sink])


def flood(batches: Sequence[memoryview], directory: Path) -> dict[str, Any]:
    """Everything as fast as the agent can. What does not reach the client has to be told to it."""
    with served(directory) as (feeder, channel):
        got: list[Any] = []
        stream = watch_logs(channel)
        reader = threading.Thread(target=lambda: got.extend(take(stream)))
        reader.start()
        wait_until(feeder, lambda: feeder.told.clients == 1)
        sink = Counted(feeder)
        pipeline = pipeline_to(sink)
        agent, child, sent = time.process_time(), child_seconds(feeder.pid), 0
        while sent < EVENTS:
            for batch in batches:
                sent += pipeline.feed(records(batch))
                # The loop's turn; the ring would hold what comes meanwhile.
                wait_until(feeder, lambda: sink.writes - feeder.told.number < AHEAD)
        wait_until(feeder, lambda: sink.writes == feeder.told.number)
        agent, child = time.process_time() - agent, child_seconds(feeder.pid) - child
        lost = feeder.lost
        # What did not fit in its queue it is told when it has taken what did.
        wait_until(feeder, lambda: sum(accounted(got)) + lost == sent)
    reader.join()
    arrived, missing = accounted(got)
    return {
        "events": sent,
        "agent_seconds_per_10000": agent / sent * 10_000,
        "feeder_seconds_per_10000": child / sent * 10_000,
        "client_got": arrived,
        "client_was_told_of": missing,
        "dropped_by_agent": lost,
    }


def accounted(got: Sequence[Any]) -> tuple[int, int]:
    """How many events a client got, and of how many it was told that they are missing."""
    so_far = tuple(got)
    notices = [log for log in so_far if log.Type == "SystemEvent"]
    return len(so_far) - len(notices), sum(int(log.EventData["Missing"]) for log in notices)


def watch_logs(channel: grpc.Channel) -> Any:
    """The stream of all logs."""
    watch = channel.unary_stream(
        "/feeder.LogService/WatchLogs",
        request_serializer=feeder_pb2.RequestMessage.SerializeToString,
        response_deserializer=feeder_pb2.Log.FromString,
    )
    return watch(feeder_pb2.RequestMessage(Filter="all"))


def take(stream: Any) -> Iterator[Any]:
    """All that comes until the other side ends."""
    try:
        yield from stream
    except grpc.RpcError:
        return


def child_seconds(pid: int) -> float:
    """Processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def latencies(payload: memoryview, directory: Path) -> dict[str, float]:
    """From the agent's reading of a ring to the client, one event after the other; seconds."""
    with served(directory) as (feeder, channel):
        stream = watch_logs(channel)
        arrived: list[float] = []
        reader = threading.Thread(target=lambda: arrived.extend(time.monotonic() for _ in take(stream)))
        reader.start()
        wait_until(feeder, lambda: feeder.told.clients == 1)
        pipeline = pipeline_to(Counted(feeder))
        begun = []
        for _ in range(LATENCIES):
            begun.append(time.monotonic())
            pipeline.feed([payload])
            time.sleep(PAUSE)
            feeder.on_ready()
        wait_until(feeder, lambda: len(arrived) == LATENCIES)
    reader.join()
    taken = sorted(end - begin for begin, end in zip(begun, arrived, strict=True))
    return {"median_seconds": statistics.median(taken), "p99_seconds": taken[LATENCIES * 99 // 100]}


def measure(kernel: str = "6.12") -> dict[str, Any]:
    """The figures, from records of that kernel."""
    release, batches = recorded(kernel, "bench.feed")
    payload = memoryview(bytes(next(iter(records(batches[0])))))
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as directory:
        found = {"recorded_on": release} | flood(batches, Path(directory))
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as directory:
        return found | latencies(payload, Path(directory))


if __name__ == "__main__":
    record_or_measure(__doc__, record, measure)
