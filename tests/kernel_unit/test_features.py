# SPDX-License-Identifier: Apache-2.0
"""The diagnosis: each cause of failure is named, with its remedy, and only when it holds."""

import errno
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hauberk.kernel import features
from hauberk.kernel.features import PROBE_HOOK, SECTION_HOOKS, Observed, diagnose

EVERY_HOOK = frozenset({PROBE_HOOK, *(hook for hooks in SECTION_HOOKS.values() for hook in hooks)})

WORKING = Observed(
    release="6.12.0",
    capabilities=frozenset({"CAP_SYS_ADMIN", "CAP_BPF", "CAP_PERFMON"}),
    hooks=EVERY_HOOK,
    called=True,
    lsms=("lockdown", "capability", "bpf"),
    lockdown="none",
    bpffs=True,
)


def test_a_kernel_on_which_the_trial_ran_can_enforce_everything() -> None:
    found = diagnose(WORKING)
    assert found.enforceable
    assert all(found.sections.values())
    assert found.findings == ()


@pytest.mark.parametrize(
    ("changed", "feature", "message", "remedy"),
    [
        (
            {"bpf_error": errno.ENOSYS, "load_error": errno.ENOSYS},
            "bpf",
            "no bpf() system call",
            "CONFIG_BPF_SYSCALL",
        ),
        (
            {"capabilities": frozenset({"CAP_BPF"}), "bpf_error": errno.EPERM, "load_error": errno.EPERM},
            "capabilities",
            "lacks CAP_PERFMON, CAP_SYS_ADMIN",
            "run as root",
        ),
        (
            {"initial_user_namespace": False, "load_error": errno.EPERM},
            "user namespace",
            "user namespace",
            "root of",
        ),
        ({"bpf_error": errno.EPERM, "load_error": errno.EPERM}, "bpf", "bpf() is refused", "seccomp"),
        (
            {"btf": False, "hooks": frozenset(), "load_error": errno.ENOENT},
            "BTF",
            "/sys/kernel/btf/vmlinux",
            "CONFIG_DEBUG_INFO_BTF",
        ),
        ({"hooks": frozenset(), "load_error": errno.ENOENT}, "BPF LSM", "built without", "CONFIG_BPF_LSM"),
        ({"jit": False, "attach_error": 524}, "JIT", "JIT compiler", "sysctl net.core.bpf_jit_enable=1"),
        (
            {"called": False, "lsms": ("lockdown", "capability", "yama")},
            "lsm=",
            "`bpf` is not among",
            "boot with lsm=lockdown,yama,bpf",
        ),
        (
            {"lockdown": "integrity", "load_error": errno.EPERM},
            "lockdown",
            "locked down (integrity)",
            "lockdown=",
        ),
        (
            {"load_error": errno.EINVAL},
            "loading",
            "refuses an LSM program: refused as invalid",
            "hauberk lab run",
        ),
        ({"attach_error": 524}, "attaching", "cannot be attached: this kernel's BPF JIT", "hauberk lab run"),
        ({"called": None, "lsms": None}, "lsm=", "could not be seen to run", "run as root"),
    ],
)
def test_each_cause_is_named_alone_with_its_remedy(
    changed: dict[str, Any], feature: str, message: str, remedy: str
) -> None:
    found = diagnose(replace(WORKING, **changed))
    assert not found.enforceable
    assert not any(found.sections.values())
    (finding,) = found.findings
    assert finding.feature == feature
    assert message in finding.message
    assert remedy in finding.remedy
    assert "\n" not in finding.message + finding.remedy


def test_all_causes_are_named_at_once() -> None:
    found = diagnose(replace(WORKING, capabilities=frozenset(), btf=False, jit=False, load_error=errno.EPERM))
    assert [finding.feature for finding in found.findings] == ["capabilities", "BTF", "JIT"]


def test_the_trial_counts_more_than_the_list() -> None:
    assert diagnose(replace(WORKING, lsms=("capability",))).enforceable
    assert not diagnose(replace(WORKING, called=False)).enforceable
    assert diagnose(replace(WORKING, called=None)).enforceable


@pytest.mark.parametrize("section", sorted(SECTION_HOOKS))
def test_a_section_whose_hook_is_missing_is_not_enforceable_and_the_others_are(section: str) -> None:
    missing = SECTION_HOOKS[section][-1]
    found = diagnose(replace(WORKING, hooks=EVERY_HOOK - {missing}))
    assert found.enforceable
    assert [name for name, possible in found.sections.items() if not possible] == [section]
    (finding,) = found.findings
    assert missing in finding.message


def pseudo_mounts() -> list[str]:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line for line in lines if line.partition(" - ")[2].startswith(("securityfs", "debugfs"))]


def test_observing_describes_this_machine_and_changes_nothing() -> None:
    mounts = pseudo_mounts()
    seen = features.observe()
    assert seen.release == Path("/proc/sys/kernel/osrelease").read_text().strip()
    assert seen.lockdown in ("", "none", "integrity", "confidentiality")
    assert seen.preempt in ("", "none", "voluntary", "full", "lazy")
    assert pseudo_mounts() == mounts
    assert diagnose(seen).enforceable or diagnose(seen).findings


def test_a_file_that_does_not_exist_reads_as_empty(tmp_path: Path) -> None:
    assert features.pseudo_file("securityfs", "no/such/file", tmp_path) == ""
    assert features.pseudo_file("no-such-filesystem", "lsm", tmp_path) == ""


def test_hooks_that_no_kernel_has_are_not_available() -> None:
    assert features.available_hooks({"file_open", "capable", "no_such_hook"}) == {"file_open", "capable"}
