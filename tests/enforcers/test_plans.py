# SPDX-License-Identifier: Apache-2.0
"""Which kernel functions serve a system call, and what the programs are told of its arguments."""

import re
from pathlib import Path

import pytest

from hauberk.enforcers.bpf_lsm import plans
from hauberk.policy.syscalls import NAMES, NUMBERS

HEADER = Path(plans.__file__).parents[2] / "bpf/lib/syscall.h"
NONE, CWD, ITSELF = 15, 14, 14


@pytest.fixture(autouse=True)
def kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    functions = """
        __x64_sys_unlink __ia32_sys_unlink __x64_sys_setuid __ia32_sys_setuid __ia32_sys_setuid16
        __x64_sys_getdents __x64_sys_getdents64 __ia32_sys_getdents64 __ia32_compat_sys_getdents
        __x64_sys_umount __ia32_sys_oldumount __do_sys_getpid __do_sys_munlockall __x64_sys_munlockall
        __ia32_sys_munlockall __x64_sys_sync __x64_sys_execve __x64_compat_sys_execve
        __arm64_sys_unlink __arm64_sys_unlinkat
    """
    monkeypatch.setattr(plans, "_there", lambda: frozenset(functions.split()))
    monkeypatch.setattr(plans.platform, "machine", lambda: "x86_64")


def functions(*names: str) -> list[str]:
    return [each.name for each in plans.functions_for([NUMBERS[name] for name in names])]


def fields(plan: int) -> tuple[int, ...]:
    """Number, then start and path of each of two paths, then the places of two numbers."""
    return (plan & 0xFFFF, *(plan >> at & 15 for at in range(20, 44, 4)))


def test_a_call_has_functions_for_64_bit_and_for_32_bit_programs() -> None:
    assert functions("unlink") == ["__x64_sys_unlink", "__ia32_sys_unlink"]
    assert functions("setuid") == ["__x64_sys_setuid", "__ia32_sys_setuid", "__ia32_sys_setuid16"]
    assert functions("umount2") == ["__x64_sys_umount", "__ia32_sys_oldumount"]


def test_a_call_without_arguments_has_one_function_under_whichever_names_there_are() -> None:
    assert functions("getpid") == ["__do_sys_getpid"]
    assert functions("munlockall") == ["__do_sys_munlockall"]
    assert functions("sync") == ["__x64_sys_sync"]


def test_another_call_is_no_form_of_it() -> None:
    assert functions("getdents") == ["__x64_sys_getdents", "__ia32_compat_sys_getdents"]
    assert functions("getdents64") == ["__x64_sys_getdents64", "__ia32_sys_getdents64"]


def test_no_two_calls_have_a_function_in_common() -> None:
    owners: dict[str, str] = {}
    for name in sorted(NAMES):
        for each in plans._candidates(name):
            assert owners.setdefault(each.name, name) == name


def test_arguments_of_32_bit_programs_lie_elsewhere() -> None:
    wide, narrow = plans.functions_for([NUMBERS["unlink"]])
    assert narrow.plan == wide.plan | 1 << 16
    compat = plans.functions_for([NUMBERS["execve"]])
    assert {each.plan for each in compat} == {plans.plan_of("execve")}
    assert not any(each.at_return for each in compat)


def test_what_the_kernel_does_not_have_is_told() -> None:
    assert plans.lacking({"unlink", "mount", "create_module"}) == {"mount", "create_module"}


def test_what_arm64_does_not_have_is_not_attached_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans.platform, "machine", lambda: "aarch64")
    assert functions("unlink", "unlinkat") == ["__arm64_sys_unlinkat"]


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("unlink", (CWD, 0, CWD, NONE, NONE, NONE)),
        ("unlinkat", (0, 1, CWD, NONE, 2, NONE)),
        ("renameat2", (0, 1, 2, 3, NONE, NONE)),
        ("rename", (CWD, 0, CWD, 1, NONE, NONE)),
        ("fchown", (0, ITSELF, CWD, NONE, 1, 2)),
        ("mount", (CWD, 1, CWD, NONE, 3, NONE)),
        ("setuid", (CWD, NONE, CWD, NONE, 0, NONE)),
    ],
)
def test_the_plan_says_where_paths_and_numbers_are(name: str, places: tuple[int, ...]) -> None:
    assert fields(plans.plan_of(name)) == (NUMBERS[name], *places)


def test_changes_of_directory_are_marked() -> None:
    marks = {name: plans.plan_of(name) >> 17 & 3 for name in ("chdir", "fchdir", "chroot", "mkdir")}
    assert marks == {"chdir": 1, "fchdir": 1, "chroot": 2, "mkdir": 0}


def test_the_programs_take_the_plan_apart_in_the_same_way() -> None:
    text = HEADER.read_text()
    found = dict(re.findall(r"#define (PLAN_\w+) \(1ull << (\d+)\)", text))
    assert {name: 1 << int(bit) for name, bit in found.items()} == {
        "PLAN_32BIT": plans._32BIT,
        "PLAN_NEW_CWD": plans._NEW_CWD,
        "PLAN_NEW_ROOT": plans._NEW_ROOT,
    }
    values = dict(re.findall(r"#define (PLAN_\w+) (\d+)u", text))
    assert values == {
        "PLAN_NONE": str(plans._NONE),
        "PLAN_CWD": str(plans._FROM_CWD),
        "PLAN_ITSELF": str(plans._ITSELF),
    }
    shifts = re.findall(r"#define PLAN_(\w+)\(plan, which\) \(\(u32\)\(\(plan\) >> \((\d+) \+ (\d)", text)
    assert shifts == [("DIR", "20", "8"), ("PATH", "24", "8"), ("WORD", "36", "4")]
