# SPDX-License-Identifier: Apache-2.0
"""Under what an operation is measured: nothing, an AppArmor profile, or an engine's workload."""

import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.policy import profile
from hauberk.enforcers.bpf_lsm import Engine
from hauberk.kernel.namespaces import enter_root
from hauberk.workloads.command import Command

LSMS = Path("/sys/kernel/security/lsm")
ON_EXEC = Path("/proc/self/attr/apparmor/exec")


def nothing() -> None:
    """What has no part in a setting."""


@dataclass(frozen=True, slots=True)
class Setting:
    """How a process comes under it: `prepare` runs in the waiting child, `confine` outside of it."""

    prepare: Callable[[], None] = nothing
    confine: Callable[[Command], None] = lambda command: None

    def command(self, root: Path, argv: list[str], before: Callable[[], None] = nothing) -> Command:
        """A command that waits in `root` and is under this setting once it starts."""

        def prepare() -> None:
            before()
            self.prepare()
            enter_root(str(root))

        command = Command(argv, prepare)
        try:
            self.confine(command)
        except BaseException:
            command.abandon()
            raise
        return command


def in_engine(engine: Engine) -> Setting:
    """Part of an engine's workload 0."""
    return Setting(confine=lambda command: engine.confine(0, command.pidfd))


def under_apparmor(parser: str, rules: int) -> Setting:
    """Under an AppArmor profile of the same rules, which is loaded now and stays until the machine ends."""
    if "apparmor" not in LSMS.read_text().split(","):
        raise SystemExit("AppArmor is not active on this kernel")
    name = f"hauberk-bench-{rules}"
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(profile(rules, name))
        file.flush()
        # Nothing of the machine's own set-up: no configuration, no cache.
        options = ["--replace", "--skip-cache", "--config-file", "/dev/null", "--quiet"]
        subprocess.run([parser, *options, file.name], check=True)
    return Setting(prepare=lambda: _on_exec(name))


def _on_exec(name: str) -> None:
    ON_EXEC.write_text(f"exec {name}")
