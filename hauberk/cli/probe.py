# SPDX-License-Identifier: Apache-2.0
"""`hauberk probe`: what this machine can enforce, and why not; and what enforcement takes of its memory."""

import dataclasses
import sys
from collections.abc import Sequence

import click
import msgspec

from hauberk.enforcers.bpf_lsm.memory import EngineMemory, engines
from hauberk.kernel.features import Diagnosis
from hauberk.kernel.features import probe as probe_machine


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print what was found as one JSON object.")
@click.option("--memory", is_flag=True, help="Say instead what the engines here take of the kernel's memory.")
def probe(as_json: bool, memory: bool) -> None:
    """Say whether this machine can enforce policies, and if not, why and what to do.

    A program that permits everything is loaded into the kernel and removed again; nothing else is touched.
    Exit status 0 if policies can be enforced, 1 if not.

    With --memory nothing is tried. Instead every engine that is loaded here is listed, with its workloads and
    the kernel memory that it takes.

    \b
    Examples:
      hauberk probe
      hauberk probe --json | jq .enforceable
      hauberk probe --memory
      hauberk lab run --kernel 6.1 -- hauberk probe
    """
    if memory:
        tell_memory(as_json)
        return
    found = probe_machine()
    if as_json:
        click.echo(msgspec.json.encode(dataclasses.asdict(found), order="sorted"))
    else:
        click.echo(describe(found))
    sys.exit(0 if found.enforceable else 1)


def describe(found: Diagnosis) -> str:
    """The diagnosis as text for people."""
    seen = found.observed
    rows = {
        "kernel": seen.release,
        "preemption": seen.preempt or "not known",
        "active LSMs": ", ".join(seen.lsms) if seen.lsms is not None else "not readable",
        "lockdown": seen.lockdown or "not known",
        "kernel types (BTF)": "yes" if seen.btf else "no",
        "bpffs": "mounted" if seen.bpffs else "not mounted on /sys/fs/bpf",
    }
    for name, possible in found.sections.items():
        rows[f"{name} rules"] = "enforceable" if possible else "not enforceable"
    lines = [f"{name:20}{value}" for name, value in rows.items()]
    lines.append("")
    lines.append(
        "Policies can be enforced here." if found.enforceable else "Policies cannot be enforced here."
    )
    for finding in found.findings:
        lines.append(f"  {finding.message}")
        lines.append(f"    remedy: {finding.remedy}")
    return "\n".join(lines)


def tell_memory(as_json: bool) -> None:
    """Print what each engine takes."""
    found = engines()
    if as_json:
        each = [{**dataclasses.asdict(engine), "total": engine.total} for engine in found]
        click.echo(
            msgspec.json.encode({"engines": each, "total": sum(e.total for e in found)}, order="sorted")
        )
    else:
        click.echo(describe_memory(found))


def describe_memory(found: Sequence[EngineMemory]) -> str:
    """The engines as text for people."""
    if not found:
        return "No engine is loaded here."
    lines = []
    for engine in found:
        lines.append(
            f"{engine.name}: {_kib(engine.total)}; workloads: {engine.workloads}, with {engine.tasks} tasks "
            f"and {engine.tables} tables"
        )
        parts = {**engine.maps, f"{engine.programs} programs": engine.program_bytes}
        for name, size in sorted(parts.items(), key=lambda part: (-part[1], part[0])):
            filled = f"  filled up to {_kib(engine.table_bytes)}" if name == "arena" else ""
            lines.append(f"  {name:20}{_kib(size):>14}{filled}")
        lines.append("")
    lines.append(f"{'all engines':22}{_kib(sum(engine.total for engine in found)):>14}")
    return "\n".join(lines)


def _kib(size: int) -> str:
    return f"{-(-size // 1024):,} KiB"
