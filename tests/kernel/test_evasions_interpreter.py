# SPDX-License-Identifier: Apache-2.0
"""A blocked program as the interpreter of another.

An ELF file names the program that the kernel is to map and to enter in its stead (PT_INTERP): meant for the
dynamic loader, it may be any file. So a program that must not be executed could be run without executing it.
"""

import os
import subprocess
from pathlib import Path

import pytest

from hauberk.events.record import Call
from tests.kernel.arena import Arena

SOURCE = r"""
static long call(long number, long a, const void *b, long c)
{
	long result;
	__asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return result;
}

void _start(void)
{
	call(1, 1, "ran\n", 4);
	call(60, 0, 0, 0);
}
"""

pytestmark = pytest.mark.skipif(os.uname().machine != "x86_64", reason="the program is written for x86-64")

POLICY = """
apiVersion: security.kubearmor.com/v1
kind: KubeArmorPolicy
metadata: {{name: no-program, namespace: default}}
spec:
  selector: {{}}
  process:
    matchPaths:
    - path: {program}
    - path: {loader}
  action: Block
"""


def build(directory: Path) -> tuple[Path, Path]:
    """A program, and another that names it as its interpreter."""
    source = directory / "secret.c"
    source.write_text(SOURCE)
    program, carrier = directory / "program", directory / "carrier"
    flags = ["-O1", "-nostdlib", "-fPIE", "-fno-stack-protector"]
    subprocess.run(["cc", *flags, "-static-pie", "-o", program, source], check=True)
    subprocess.run(
        ["cc", *flags, "-pie", f"-Wl,--dynamic-linker={program}", "-o", carrier, source], check=True
    )
    return program, carrier


def test_a_blocked_program_does_not_run_as_an_interpreter(arena: Arena, tmp_path: Path) -> None:
    program, carrier = build(tmp_path)
    loader = os.path.realpath("/lib64/ld-linux-x86-64.so.2")
    assert arena.run("", [str(carrier)]).stdout == b"ran\n"
    policy = POLICY.format(program=program, loader=loader)
    ran = arena.run(policy, [str(carrier)])
    assert ran.stdout == b""
    assert ran.status != 0
    (record,) = ran.refused()
    assert record.call == Call.MMAP
    assert record.object == os.fsencode(program)


def test_a_blocked_loader_loads_programs_but_cannot_be_run_by_hand(arena: Arena, tmp_path: Path) -> None:
    program, _ = build(tmp_path)
    loader = os.path.realpath("/lib64/ld-linux-x86-64.so.2")
    policy = POLICY.format(program=program, loader=loader)
    ran = arena.run(policy, ["/bin/sh", "-c", f"true; {loader} /bin/true"])
    assert ran.status == 126
    (record,) = ran.refused()
    assert (record.call, record.object) == (Call.EXEC, os.fsencode(loader))
