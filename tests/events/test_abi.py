# SPDX-License-Identifier: Apache-2.0
"""The decoder's idea of a record against the header that the kernel programs are compiled from."""

import re
import shutil
import subprocess
from enum import IntEnum
from pathlib import Path

import pytest

from hauberk.enforcers.bpf_lsm import abi
from hauberk.events.record import HB_EVENT_LAYOUT, HB_EVENT_SIZE, STRINGS, Call
from hauberk.events.repeats import HB_REPEAT_LAYOUT, SLOTS, WINDOW_BYTES
from hauberk.rules.model import MOVE, NONE, POSTURE, UNKNOWN, Section, Verdict

ABI = Path(__file__).parents[2] / "hauberk/bpf/abi.h"


@pytest.fixture(scope="module")
def evaluate(tmp_path_factory):
    """The value of a C expression, with the header included."""
    compiler = shutil.which("cc")
    assert compiler, "a C compiler is part of `make setup`"
    place = tmp_path_factory.mktemp("abi")

    def compute(expressions):
        lines = "".join(f'printf("%llu\\n", (unsigned long long)({each}));' for each in expressions)
        source = place / "abi.c"
        source.write_text(
            "#include <linux/types.h>\n#include <stddef.h>\n#include <stdio.h>\n"
            f'#include "{ABI}"\nint main(void) {{ {lines} return 0; }}\n'
        )
        subprocess.run([compiler, str(source), "-o", str(place / "abi")], check=True)
        out = subprocess.run([str(place / "abi")], check=True, capture_output=True, text=True).stdout
        return [int(line) for line in out.split()]

    return compute


def test_the_head_lies_as_the_decoder_reads_it(evaluate):
    places = [f"offsetof(struct hb_event, {field.name})" for field in HB_EVENT_LAYOUT]
    sizes = [f"sizeof(((struct hb_event *)0)->{field.name})" for field in HB_EVENT_LAYOUT]
    assert evaluate(places) == [field.offset for field in HB_EVENT_LAYOUT]
    assert evaluate(sizes) == [field.size for field in HB_EVENT_LAYOUT]
    assert evaluate(["sizeof(struct hb_event)"]) == [HB_EVENT_SIZE]


def test_a_slot_of_repeats_lies_as_the_decoder_reads_it(evaluate):
    places = [f"offsetof(struct hb_repeat, {field.name})" for field in HB_REPEAT_LAYOUT]
    sizes = [f"sizeof(((struct hb_repeat *)0)->{field.name})" for field in HB_REPEAT_LAYOUT]
    assert evaluate(places) == [field.offset for field in HB_REPEAT_LAYOUT]
    assert evaluate(sizes) == [field.size for field in HB_REPEAT_LAYOUT]
    members = [f"offsetof(struct hb_repeats, {name})" for name in ("window", "inside", "slot")]
    assert evaluate(members) == [abi.REPEATS_WINDOW, abi.REPEATS_INSIDE, abi.REPEATS_SLOTS]
    assert evaluate(["HB_REPEATS", "HB_REPEATS * sizeof(struct hb_repeat)"]) == [SLOTS, WINDOW_BYTES]


def test_the_strings_come_in_the_order_of_their_numbers(evaluate):
    names = [f"HB_STR_{name.upper()}" for name in STRINGS]
    assert evaluate([*names, "HB_STRINGS"]) == list(range(len(STRINGS) + 1))


@pytest.mark.parametrize(("numbers", "prefix"), [(Call, "HB_CALL_"), (Section, "HB_"), (Verdict, "HB_")])
def test_numbers_are_the_same_on_both_sides(evaluate, numbers: type[IntEnum], prefix: str):
    assert evaluate([f"{prefix}{each.name}" for each in numbers]) == [int(each) for each in numbers]


def test_no_call_of_the_kernel_programs_is_missing():
    assert set(re.findall(r"\bHB_CALL_(\w+)", ABI.read_text())) == {call.name for call in Call}


def test_numbers_in_place_of_a_rule_are_the_same_on_both_sides(evaluate):
    expressions = ["HB_RULE_POSTURE", "HB_RULE_UNKNOWN", "HB_RULE_MOVE", "HB_RULE_NONE"]
    assert evaluate(expressions) == [POSTURE, UNKNOWN, MOVE, NONE]
