# SPDX-License-Identifier: Apache-2.0
"""The measurement of the event path, with records made by hand in place of recorded ones."""

import struct
from pathlib import Path

import pytest

from bench import events
from tests.events.pack import access, pack


def batch(*payloads: bytes) -> memoryview:
    """As the ring reader gives them."""
    parts = (struct.pack("=II", len(each), 0) + each + bytes(-len(each) % 8) for each in payloads)
    return memoryview(b"".join(parts))


def test_every_record_of_every_pass_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "ROUND", 90)
    known = {"workload": events.WORKLOAD, "generation": events.GENERATION}
    payloads = [pack(access(object=b"/%d" % n, slot=n, **known)) for n in range(40)]
    found = events.replay([batch(*payloads[:25]), batch(*payloads[25:])], tmp_path / "alerts")
    assert found["records"] == 40
    assert len(found["by_round"]) == len(found["resident_kib"]) == events.ROUNDS
    assert found["alerts_per_second"] > 0
    assert (tmp_path / "alerts").read_bytes().count(b"\n") == 120


def test_records_that_do_not_become_alerts_are_no_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "ROUND", 1)
    with pytest.raises(SystemExit, match="1 of 1 alerts were written"):
        events.replay([batch(pack(access(workload=events.WORKLOAD, generation=9)))], tmp_path / "alerts")
