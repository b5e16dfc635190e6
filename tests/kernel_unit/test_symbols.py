# SPDX-License-Identifier: Apache-2.0
"""Addresses of the kernel's variables are those that /proc/kallsyms lists."""

import os
from pathlib import Path

import pytest

from hauberk.kernel.errors import LoadError
from hauberk.kernel.symbols import address_of


@pytest.mark.skipif(os.geteuid() != 0, reason="loading BPF programs needs root")
def test_an_address_is_the_one_that_the_kernel_lists() -> None:
    listed = [line.split() for line in Path("/proc/kallsyms").read_text().splitlines()]
    addresses = [int(number, 16) for number, _, name, *_ in listed if name == "rename_lock"]
    if not any(addresses):
        pytest.skip("the kernel does not show its addresses")
    assert [address_of("rename_lock")] == addresses


@pytest.mark.skipif(os.geteuid() != 0, reason="loading BPF programs needs root")
def test_what_the_kernel_does_not_have_has_no_address() -> None:
    assert address_of("no_such_variable") == 0


def test_a_name_that_is_too_long_is_refused() -> None:
    with pytest.raises(LoadError, match="looking for the kernel's x"):
        address_of("x" * 32)
