# SPDX-License-Identifier: Apache-2.0
"""`hauberk probe`: what this machine can enforce, and why not."""

import dataclasses
import sys

import click
import msgspec

from hauberk.kernel.features import Diagnosis
from hauberk.kernel.features import probe as probe_machine


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print what was found as one JSON object.")
def probe(as_json: bool) -> None:
    """Say whether this machine can enforce policies, and if not, why and what to do.

    A program that permits everything is loaded into the kernel and removed again; nothing else is touched.
    Exit status 0 if policies can be enforced, 1 if not.

    \b
    Examples:
      hauberk probe
      hauberk probe --json | jq .enforceable
      hauberk lab run --kernel 6.1 -- hauberk probe
    """
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
