# SPDX-License-Identifier: Apache-2.0
"""How many alerts a second one core turns from records into JSON lines.

`.venv/bin/python -m tests.events.bench` prints it. Not a test: the figure depends on the machine.
"""

import time
from collections.abc import Sequence

from hauberk.events.pipeline import Pipeline, Sink
from hauberk.events.record import Call
from hauberk.rules.model import Section
from hauberk.sinks.jsonlines import JsonLines

from .golden import translator
from .pack import access, pack

BATCH = 500


def payloads() -> list[bytes]:
    """A batch such as an attack makes: opens of many files, and an exec in ten."""
    made = []
    for number in range(BATCH):
        if number % 10:
            path = f"/var/lib/data/{number % 97}/file-{number}".encode()
            made.append(pack(access(object=path, detail=(0o2100000, 0, 0, 0), owner=0)))
        else:
            args = b"apt\0install\0-y\0" + f"package-{number}\0".encode()
            made.append(
                pack(
                    access(rule=1, section=Section.PROCESS, call=Call.EXEC, object=b"/usr/bin/apt", args=args)
                )
            )
    return made


def alerts_per_second(total: int = 100_000, sinks: Sequence[Sink] = ()) -> float:
    """Alerts per second of processor time, to `sinks`, or to JSON lines in /dev/null if there are none."""
    pipeline = Pipeline(translator(), sinks or [JsonLines("/dev/null")])
    batch = payloads()
    pipeline.feed(batch)
    start = time.process_time()
    for _ in range(total // BATCH):
        pipeline.feed(batch)
    return (total // BATCH) * BATCH / (time.process_time() - start)


if __name__ == "__main__":
    print(f"{alerts_per_second():,.0f} alerts per second of processor time")
