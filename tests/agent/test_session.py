# SPDX-License-Identifier: Apache-2.0
"""What a session decides before and beside its command: what hinders it, what it refuses, whose signals it
passes on."""

import os
import subprocess
import sys

import pytest

from hauberk.agent.plan import Outlook, UnenforcedError
from hauberk.agent.session import descends, obstacle_of, refuse_unenforced
from hauberk.enforcers.protocol import PolicyStatus, State
from hauberk.kernel.features import PROBE_HOOK, SECTION_HOOKS, Observed, diagnose
from hauberk.rules.model import PolicyId

HOOKS = frozenset({PROBE_HOOK, *(hook for hooks in SECTION_HOOKS.values() for hook in hooks)})
ROOT = frozenset({"CAP_SYS_ADMIN"})
LSMS = ("lockdown", "bpf")


def policy(name: str, state: State, *reasons: str) -> PolicyStatus:
    return PolicyStatus(PolicyId("KubeArmorPolicy", "shop", name), state, reasons)


def test_nothing_hinders_on_a_machine_that_can_do_it_all() -> None:
    assert obstacle_of(diagnose(Observed(capabilities=ROOT, hooks=HOOKS, called=True, lsms=LSMS))) == ""


@pytest.mark.parametrize(
    ("seen", "reason", "remedy"),
    [
        (
            Observed(capabilities=ROOT, btf=False, load_error=2, lsms=LSMS),
            "the kernel does not describe its types (no /sys/kernel/btf/vmlinux)",
            "CONFIG_DEBUG_INFO_BTF",
        ),
        (
            Observed(capabilities=ROOT, hooks=HOOKS, called=False, lsms=("landlock", "apparmor")),
            "`bpf` is not among the kernel's active LSMs",
            "boot with lsm=landlock,apparmor,bpf",
        ),
        (
            Observed(capabilities=ROOT, hooks=HOOKS, load_error=1, lsms=LSMS, lockdown="integrity"),
            "locked down (integrity)",
            "boot without lockdown=",
        ),
        (Observed(hooks=HOOKS, load_error=1, lsms=LSMS), "lacks CAP_BPF", "run as root"),
        (
            Observed(
                capabilities=ROOT, hooks=HOOKS - {"socket_bind", "socket_connect"}, called=True, lsms=LSMS
            ),
            "rules of the network section cannot be enforced: the kernel has no hook socket_bind",
            "CONFIG_SECURITY_NETWORK",
        ),
    ],
)
def test_what_hinders_is_told_with_its_remedy(seen: Observed, reason: str, remedy: str) -> None:
    told = obstacle_of(diagnose(seen))
    assert reason in told
    assert remedy in told


def test_a_session_is_refused_if_nothing_can_be_enforced() -> None:
    outlook = Outlook((policy("web", State.REJECTED, "no BTF"),), obstacle="no BTF")
    with pytest.raises(UnenforcedError) as caught:
        refuse_unenforced(outlook, allowed=False)
    assert caught.value.message == "nothing can be enforced here: no BTF"
    assert "--allow-unenforced" in caught.value.remedy
    assert caught.value.outlook is outlook
    refuse_unenforced(outlook, allowed=True)


def test_a_session_is_refused_for_each_field_that_is_not_enforced() -> None:
    fine, bad = policy("fine", State.ENFORCED), policy("bad", State.DEGRADED, "p.yaml:7: x", "p.yaml:9: y")
    with pytest.raises(UnenforcedError) as caught:
        refuse_unenforced(Outlook((fine, bad)), allowed=False)
    assert caught.value.message.splitlines() == [
        "not all of the policies can be enforced:",
        "  KubeArmorPolicy shop/bad: p.yaml:7: x",
        "  KubeArmorPolicy shop/bad: p.yaml:9: y",
    ]
    refuse_unenforced(Outlook((fine, bad)), allowed=True)
    refuse_unenforced(Outlook((fine,)), allowed=False)


def test_descendants_are_told_from_others() -> None:
    # a name with parentheses and spaces stands in the middle of what is read
    script = "import ctypes; ctypes.CDLL(None).prctl(15, b'a) b (c'); print(1, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"1\n"
        assert descends(process.pid, process.pid)
        assert descends(process.pid, os.getpid())
        assert not descends(os.getpid(), process.pid)
        assert not descends(1, process.pid)
        process.communicate(b"\n")
    assert not descends(process.pid, os.getpid())
