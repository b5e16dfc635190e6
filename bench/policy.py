# SPDX-License-Identifier: Apache-2.0
"""The rules that are measured: from one list a KubeArmor policy and an AppArmor profile that say the same.

Both permit everything but what the rules block. Up to 99 rules are on files alone; from 100 on a dozen are on
programs, protocols and capabilities, so that every kind of hook has something to decide.
"""

from dataclasses import dataclass
from typing import Final

FULL: Final = "/srv/www/data/site/index.html"
"""Rules name its neighbours: the walk through the rules goes on to the last byte."""
EARLY: Final = "/opt/www/data/site/index.html"
"""No rule begins like this: the walk ends after the first byte that differs."""
MIXED: Final = 100
"""From so many rules on there are others than on files."""

_PROGRAMS: Final = ("/bin/nothin", "/bin/nothing.bak", *(f"/usr/sbin/tool-{n}" for n in range(6)))
_PROTOCOLS: Final = ("raw", "packet")
_CAPABILITIES: Final = ("sys_module", "sys_rawio")
# `raw` is the raw sockets of these families, of which the last has a rule of its own.
_APPARMOR_SOCKETS: Final = ("inet raw", "inet6 raw", "packet")


@dataclass(frozen=True, slots=True)
class Blocks:
    """What is blocked."""

    files: tuple[str, ...]
    programs: tuple[str, ...] = ()
    protocols: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()


def blocks(rules: int) -> Blocks:
    """So many rules, which never name what the benchmarks do."""
    others = (_PROGRAMS, _PROTOCOLS, _CAPABILITIES) if rules >= MIXED else ()
    number = rules - sum(map(len, others))
    files = [f"{FULL.removesuffix('l')}", f"{FULL}.bak"]
    files += [f"/usr/share/app-{n % 97:02}/data/file-{n:05}.conf" for n in range(number)]
    return Blocks(tuple(files[:number]), *others)


def policy(rules: int, name: str = "bench") -> str:
    """The rules as a KubeArmorPolicy that selects everything."""
    chosen = blocks(rules)
    lines = [
        f"apiVersion: security.kubearmor.com/v1\nkind: KubeArmorPolicy\nmetadata: {{name: {name}}}",
        "spec:\n  selector: {}\n  action: Block\n  file:\n    matchPaths:",
        *(f"    - path: {path}" for path in chosen.files),
    ]
    if chosen.programs:
        lines += ["  process:\n    matchPaths:", *(f"    - path: {path}" for path in chosen.programs)]
    if chosen.protocols:
        lines += [
            "  network:\n    matchProtocols:",
            *(f"    - protocol: {each}" for each in chosen.protocols),
        ]
    if chosen.capabilities:
        lines += ["  capabilities:\n    matchCapabilities:"]
        lines += [f"    - capability: {each}" for each in chosen.capabilities]
    return "\n".join(lines) + "\n"


def profile(rules: int, name: str) -> str:
    """The rules as an AppArmor profile. What is blocked as a file cannot be run either."""
    chosen = blocks(rules)
    lines = [
        f"profile {name} {{",
        "  capability,\n  network,\n  signal,\n  ptrace,\n  unix,\n  mount,\n  umount,\n  pivot_root,",
        "  /{,**} rwlkmix,",
        *(f"  deny {path} rwlkmx," for path in chosen.files),
        *(f"  deny {path} mx," for path in chosen.programs),
        *(f"  deny network {each}," for each in _APPARMOR_SOCKETS if chosen.protocols),
        *(f"  deny capability {each}," for each in chosen.capabilities),
        "}",
    ]
    return "\n".join(lines) + "\n"
