# SPDX-License-Identifier: Apache-2.0
"""How many recorded violations a second one core turns into written alerts, and whether that takes memory.

    python -m bench.events [--kernel 6.12]

Records in the lab what a workload that is refused everything leaves in the ring; then feeds these batches
again and again, as the reader does, to the pipeline and a file, here. Prints a JSON object. With --record
FILE it is what runs in the lab.
"""

import argparse
import json
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from hauberk.enforcers.bpf_lsm import Engine
from hauberk.events.clock import Clock
from hauberk.events.identity import WorkloadIdentity
from hauberk.events.pipeline import Losses, Pipeline
from hauberk.events.translate import Translator
from hauberk.kernel.ring import records
from hauberk.policy.load import load_text
from hauberk.rules.meaning import Meaning
from hauberk.rules.model import Posture, Postures, RuleSet
from hauberk.rules.normalise import rule_set
from hauberk.sinks.jsonlines import JsonLines
from hauberk.workloads.command import Command

ROOT: Final = Path(__file__).resolve().parent.parent
PLACE: Final = Path("/srv/bench-events")
WORKLOAD: Final = 0
GENERATION: Final = 1
TARGET: Final = 100_000
ROUNDS: Final = 7
ROUND: Final = 100_000
_SIZE: Final = struct.Struct("=I")

POLICY: Final = f"""
apiVersion: security.kubearmor.com/v1
kind: KubeArmorPolicy
metadata: {{name: bench, namespace: default}}
spec:
  selector: {{}}
  severity: 7
  tags: [MITRE, NIST]
  message: this is not done here
  file:
    matchDirectories:
    - {{dir: {PLACE}/kept/, recursive: true}}
  process:
    matchPaths:
    - path: {PLACE}/tool
  network:
    matchProtocols:
    - protocol: raw
  action: Block
"""

WORKLOAD_CODE: Final = f"""
import os, socket
for n in range(2000):
    try:
        os.open(f"{PLACE}/kept/{{n % 50}}/file-{{n}}", os.O_RDONLY)
    except PermissionError:
        continue
    raise SystemExit("not refused")
for n in range(220):
    if os.fork() == 0:
        try:
            os.execv("{PLACE}/tool", ["tool", "install", "-y"] + [f"package-{{n}}"] * (n % 7))
        except PermissionError:
            os._exit(0)
    os.wait()
for n in range(1, 200):
    try:
        socket.socket(socket.AF_INET, socket.SOCK_RAW, n)
    except PermissionError:
        pass
"""
"""Nine opens of a file for each exec, and a socket for each of these. Execs are alike from the eighth on."""


def rules_of(text: str) -> RuleSet:
    loaded = load_text(text, "<bench>")
    return rule_set(loaded.policies, Postures(Posture.AUDIT, Posture.AUDIT, Posture.AUDIT))


def record(file: Path) -> None:
    """Refuse a workload everything, and write the ring's batches to a file, each behind its length."""
    for n in range(2000):
        path = PLACE / "kept" / str(n % 50) / f"file-{n}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (PLACE / "tool").touch(mode=0o755)
    engine = Engine.load(f"bench-{os.getpid()}", table_bytes=1 << 20)
    try:
        command = Command([sys.executable, "-c", WORKLOAD_CODE])
        engine.apply(WORKLOAD, Meaning(rules_of(POLICY)), command.pid)
        engine.confine(WORKLOAD, command.pidfd)
        command.start()
        status = command.wait()
        command.close()
        if status or engine.counters()["lost_violations"]:
            raise SystemExit(f"nothing was recorded: status {status}, {engine.counters()}")
        with file.open("wb") as out:
            out.write(os.uname().release.encode().ljust(64))
            while batch := engine.violations.drain():
                out.write(_SIZE.pack(len(batch)) + batch)
    finally:
        engine.remove()


def recorded(kernel: str, module: str = "bench.events") -> tuple[str, list[memoryview]]:
    """Have a module make its recording in the lab; the kernel's release, and the batches."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "batches")
        hauberk = str(Path(sys.executable).with_name("hauberk"))
        command = [hauberk, "lab", "run", "--kernel", kernel, "--writable", directory, "--"]
        command += [sys.executable, "-m", module, "--record", str(file)]
        subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=True)
        return batches_of(file)


def batches_of(file: Path) -> tuple[str, list[memoryview]]:
    """What `record` wrote."""
    data = memoryview(file.read_bytes())
    release, at, batches = bytes(data[:64]).decode().strip(), 64, []
    while at < len(data):
        (size,) = _SIZE.unpack_from(data, at)
        at += _SIZE.size
        batches.append(data[at : at + size])
        at += size
    return release, batches


def replay(batches: Sequence[memoryview], target: Path) -> dict[str, Any]:
    """Feed the batches to a file of alerts; alerts per second of processor time in each round, and memory."""
    translator = Translator(Clock())
    labels = {"app": "web", "tier": "front"}
    identity = WorkloadIdentity(
        cluster_name="default", host_name="bench", namespace="default", labels=labels, container_name="run"
    )
    translator.add_workload(WORKLOAD, identity)
    translator.add_rules(WORKLOAD, GENERATION, rules_of(POLICY).rules)
    sink = JsonLines(str(target))
    pipeline = Pipeline(translator, [sink])

    def feed(times: int) -> None:
        for _ in range(times):
            for batch in batches:
                pipeline.feed(records(batch))
        for window in (0, 1):  # no repeats, but what was kept of the first ones goes
            pipeline.feed_repeats(window, b"")

    feed(1)
    each = pipeline.summary.refused
    alert_bytes = target.stat().st_size // each
    rates, resident = [], []
    for _ in range(ROUNDS):
        os.truncate(target, 0)
        passes = -(-ROUND // each)
        begin = time.process_time()
        feed(passes)
        rates.append(passes * each / (time.process_time() - begin))
        resident.append(resident_kib())
    sink.close()
    written = target.read_bytes().count(b"\n")
    if written != passes * each or pipeline.losses != Losses() or pipeline.unresolved:
        raise SystemExit(f"{written} of {passes * each} alerts were written: {pipeline.losses}")
    return {
        "records": each,
        "alert_bytes": alert_bytes,
        "alerts_per_second": round(statistics.median(rates)),
        "by_round": list(map(round, rates)),
        "resident_kib": resident,
        "grown_kib": resident[-1] - resident[0],
        "target": TARGET,
    }


def resident_kib() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") >> 10


def measure(kernel: str = "6.12") -> dict[str, Any]:
    """The figures of the event path, from records of that kernel."""
    release, batches = recorded(kernel)
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as directory:
        return {"recorded_on": release} | replay(batches, Path(directory, "alerts.jsonl"))


def record_or_measure(
    doc: str | None, record: Callable[[Path], None], measure: Callable[[str], dict[str, Any]]
) -> None:
    """What the command line asks for: the recording, in the lab, or the figures, as a JSON object."""
    parser = argparse.ArgumentParser(description=(doc or "").partition("\n")[0])
    parser.add_argument("--kernel", default="6.12", help="on which the records are made")
    parser.add_argument("--record", type=Path, metavar="FILE", help="only record, on this kernel")
    arguments = parser.parse_args()
    if arguments.record:
        record(arguments.record)
    else:
        print(json.dumps(measure(arguments.kernel), indent=1))


if __name__ == "__main__":
    record_or_measure(__doc__, record, measure)
