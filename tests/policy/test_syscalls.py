# SPDX-License-Identifier: Apache-2.0
"""The table of system calls: numbers, architectures, arguments."""

import re
from pathlib import Path

import pytest

from hauberk.policy.signatures import _LISTED, PathArgument, signature_of, takes_path
from hauberk.policy.syscalls import NAME_OF, NAMES, NOT_ON_ARM64, NUMBERS, exists_on

HEADERS = Path("/usr/include")
X86 = HEADERS / "x86_64-linux-gnu/asm/unistd_64.h"
GENERIC = HEADERS / "asm-generic/unistd.h"


def test_every_call_has_a_number_of_its_own() -> None:
    assert len(NAME_OF) == len(NUMBERS) == len(NAMES) == 362
    assert (NUMBERS["read"], NUMBERS["rseq"], NUMBERS["openat2"]) == (0, 334, 437)


@pytest.mark.skipif(not X86.exists(), reason="the kernel's headers for x86-64 are not installed")
def test_numbers_are_those_of_the_kernels_header() -> None:
    there = {name: int(number) for name, number in re.findall(r"#define __NR_(\w+) (\d+)", X86.read_text())}
    assert {name: there[name] for name in NAMES & there.keys()} == {
        name: NUMBERS[name] for name in NAMES & there.keys()
    }
    assert len(NAMES & there.keys()) > 330


@pytest.mark.skipif(not GENERIC.exists(), reason="the kernel's generic headers are not installed")
def test_what_arm64_lacks_has_no_number_in_the_generic_header() -> None:
    text = GENERIC.read_text()
    there = set(re.findall(r"(?m)^#define __NR_(\w+) (?!__NR3264_l?stat$)", text))
    assert there & NOT_ON_ARM64 == set()
    assert {name for name in NAMES if NUMBERS[name] < 424} - there == NOT_ON_ARM64


def test_what_arm64_lacks_exists_elsewhere() -> None:
    assert not exists_on("unlink", "aarch64")
    assert exists_on("unlink", "x86_64")
    assert exists_on("unlinkat", "aarch64")


def test_signatures_are_of_calls_that_exist_and_fit_in_six_arguments() -> None:
    assert set(_LISTED) <= NAMES
    assert max(map(len, _LISTED.values())) <= 6


def test_signatures() -> None:
    assert signature_of("unlink").paths == (PathArgument(0, None),)
    assert signature_of("unlinkat").paths == (PathArgument(1, 0),)
    assert signature_of("unlinkat").numbers == (("flags", 2),)
    assert signature_of("renameat2").paths == (PathArgument(1, 0), PathArgument(3, 2))
    assert signature_of("fchmod").paths == (PathArgument(None, 0),)
    assert signature_of("mount").paths == (PathArgument(1, None),)
    assert not takes_path("getpid")
