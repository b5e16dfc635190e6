# SPDX-License-Identifier: Apache-2.0
"""What was found by fuzzing stays found: the kept inputs, and those that once broke something, pass."""

from importlib import import_module
from types import ModuleType

import pytest

from hauberk.automaton.dfa import Automaton
from tests.fuzz import TARGETS, corpus

MOST_BYTES = 300_000


def replay(target: ModuleType, name: str) -> int:
    """Check all inputs of a target; returns how many they were."""
    inputs = [*target.seeds(), *corpus.read(corpus.CORPUS, name), *corpus.read(corpus.FOUND, name)]
    for data in inputs:
        target.check(data)
    return len(inputs)


@pytest.mark.parametrize("name", TARGETS)
def test_every_kept_input_keeps_the_targets_promise(name: str) -> None:
    target = import_module(f"tests.fuzz.{name}")
    kept = corpus.read(corpus.CORPUS, name)
    assert kept
    assert max(map(len, kept)) <= target.MAX_LENGTH
    assert replay(target, name) > len(kept)


def test_the_corpus_is_small() -> None:
    files = [*corpus.CORPUS.iterdir(), *corpus.FOUND.iterdir()]
    assert {file.stem for file in files} == set(TARGETS)
    assert sum(file.stat().st_size for file in files) <= MOST_BYTES


def test_inputs_are_read_back_as_they_were_written(tmp_path) -> None:
    inputs = [b"", bytes(range(256)), b"a\n'\"\\"]
    corpus.write(tmp_path, "x", [*inputs, b""])
    assert corpus.read(tmp_path, "x") == sorted(inputs, key=len)
    assert corpus.read(tmp_path, "y") == []


def broken_step(self: Automaton, state: int, byte: int) -> int:
    return self.row(state).default


FAULTS = {
    "policy": ("hauberk.policy.calls.shorten", lambda text, limit: text[:limit]),
    "pattern": ("hauberk.automaton.dfa.Automaton.step", broken_step),
    "record": ("hauberk.events.translate.escape", lambda raw: raw.decode(errors="backslashreplace")),
    "ring": ("hauberk.kernel.ring.RingReader.drain", lambda self: memoryview(b"")),
    "mountinfo": ("hauberk.workloads.mounts._unescape", bytes),
    "bolt": ("hauberk.workloads.containers.bolt._part", lambda page, start, size: page[start + 1 :][:size]),
}


@pytest.mark.parametrize("name", TARGETS)
def test_a_fault_put_in_on_purpose_does_not_pass(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    target = import_module(f"tests.fuzz.{name}")
    place, fault = FAULTS[name]
    monkeypatch.setattr(place, fault)
    with pytest.raises(AssertionError):
        replay(target, name)
