# SPDX-License-Identifier: Apache-2.0
"""Containers by a low-level runtime alone: crun or runc, with a bundle made here.

`create` and `start` are two commands, as when an engine such as Docker or containerd drives the runtime. A
container's name is its id, and its labels are annotations: that is where Hauberk looks for them if no engine
made the container.
"""

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final

from hauberk.workbench.live.commands import SEARCH
from hauberk.workbench.live.packages import LAB, add_files
from hauberk.workbench.live.packages import runtime as runtime_tree
from hauberk.workbench.live.scenario import Container, ScenarioError

RUNTIMES: Final = ("crun", "runc")
NAMESPACE_LABEL: Final = "kubearmor.io/namespace"
CGROUP: Final = "/hauberk-live"
"""The control group that those of the containers are in."""
TIMEOUT: Final = 120.0
"""Seconds for a command of the runtime."""

_CAPABILITIES: Final = (
    *("CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP"),
    *("SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE"),
)
"""What Docker and containerd leave a container."""
_MORE: Final = (
    *("AUDIT_CONTROL", "AUDIT_READ", "BLOCK_SUSPEND", "BPF", "CHECKPOINT_RESTORE", "DAC_READ_SEARCH"),
    *("IPC_LOCK", "IPC_OWNER", "LEASE", "LINUX_IMMUTABLE", "MAC_ADMIN", "MAC_OVERRIDE", "NET_ADMIN"),
    *("NET_BROADCAST", "PERFMON", "SYS_ADMIN", "SYS_BOOT", "SYSLOG", "SYS_MODULE", "SYS_NICE", "SYS_PACCT"),
    *("SYS_PTRACE", "SYS_RAWIO", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "WAKE_ALARM"),
)


def find_runtime() -> str:
    """The path of crun or runc. In the lab's machine crun is put there if neither is.

    Raises ScenarioError if there is none.
    """
    for name in RUNTIMES:
        if found := shutil.which(name, path=SEARCH):
            return found
    if LAB.is_dir():
        add_files(runtime_tree(), Path("/"))
        if found := shutil.which(RUNTIMES[0], path=SEARCH):
            return found
    raise ScenarioError("needs a container runtime (runc or crun), and none is here", "apt-get install crun")


class Runtime:
    """One runtime, and the containers that were made with it."""

    def __init__(self, program: str, directory: Path) -> None:
        """Bundles are made in `directory`."""
        self._program = program
        self._directory = directory

    def create(self, container: Container, spec: Mapping[str, Any], stdin: IO[bytes] | None = None) -> int:
        """Create a container; its first process, which waits. Raises ScenarioError."""
        bundle = self._directory / container.name
        bundle.mkdir(parents=True, exist_ok=True)
        (bundle / "config.json").write_text(json.dumps(spec))
        self._call(["create", "--bundle", str(bundle), container.name], stdin)
        return int(json.loads(self._call(["state", container.name]))["pid"])

    def start(self, container: Container) -> None:
        """Let a created container begin. Raises ScenarioError."""
        self._call(["start", container.name])

    def exec_command(
        self, container: str, argv: Sequence[str], *, user: int, home: str, cwd: str, tty: bool
    ) -> list[str]:
        """The command that runs `argv` in a container."""
        terminal = ["--tty", "--env", "TERM=xterm"] if tty else []
        options = [
            "--user",
            f"{user}:{user}",
            "--cwd",
            cwd,
            "--env",
            f"PATH={SEARCH}",
            "--env",
            f"HOME={home}",
        ]
        return [self._program, "exec", *terminal, *options, container, *argv]

    def remove(self, name: str) -> None:
        """End a container, if it is there, and forget it."""
        subprocess.run(
            [self._program, "delete", "--force", name],
            stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=TIMEOUT,
        )  # fmt: skip

    def close(self) -> None:
        """Remove what all containers had in common."""
        with suppress(OSError):
            Path(f"/sys/fs/cgroup{CGROUP}").rmdir()

    def _call(self, arguments: Sequence[str], stdin: IO[bytes] | None = None) -> str:
        # The standard streams of `create` become the container's, so they are files and no pipes to us.
        with (self._directory / "out").open("w+b") as out, (self._directory / "err").open("w+b") as err:
            try:
                done = subprocess.run(
                    [self._program, *arguments], stdin=stdin or subprocess.DEVNULL, stdout=out, stderr=err,
                    check=False, timeout=TIMEOUT,
                )  # fmt: skip
            except subprocess.TimeoutExpired:
                raise ScenarioError(
                    f"{self._program} {arguments[0]} has not ended within {TIMEOUT:g} seconds"
                ) from None
            except OSError as error:
                raise ScenarioError(f"{self._program} {arguments[0]}: {error.strerror}") from error
            out.seek(0)
            err.seek(0)
            if done.returncode:
                words = (err.read(4096) or out.read(4096)).decode("utf-8", "replace").strip()
                raise ScenarioError(f"{self._program} {arguments[0]} failed: {words}")
            return out.read().decode("utf-8", "replace")


def specification(
    container: Container, root: Path, directory: str, argv: Sequence[str], mounts: Mapping[str, Path]
) -> dict[str, Any]:
    """The OCI runtime specification of a container. `mounts` are files, by their place in it."""
    names: tuple[str, ...] = _CAPABILITIES
    if container.privileged or "ALL" in container.capabilities:
        names = (*_CAPABILITIES, *_MORE)
    capabilities = sorted({f"CAP_{name}" for name in (*names, *container.capabilities) if name != "ALL"})
    sets = ("bounding", "effective", "permitted")
    return {
        "ociVersion": "1.0.2",
        "annotations": {**container.labels, NAMESPACE_LABEL: container.namespace},
        "hostname": container.target.rpartition("/")[2],
        "root": {"path": str(root)},
        "process": {
            "user": {"uid": 0, "gid": 0},
            "args": list(argv),
            "cwd": directory,
            "env": [f"PATH={SEARCH}", "HOME=/root"],
            "capabilities": dict.fromkeys(sets, capabilities),
        },
        "mounts": [*_mounts(container.privileged), *(_bind(place, file) for place, file in mounts.items())],
        "linux": {
            "cgroupsPath": f"{CGROUP}/{container.name}",
            "namespaces": [{"type": kind} for kind in ("pid", "mount", "ipc", "uts", "network")],
        },
    }


def _mounts(privileged: bool) -> list[dict[str, Any]]:
    plain = ["nosuid", "noexec", "nodev"]
    return [
        {"destination": "/proc", "type": "proc", "source": "proc", "options": plain},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
        {
            "destination": "/dev/pts",
            "type": "devpts",
            "source": "devpts",
            "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
        },
        {
            "destination": "/dev/shm",
            "type": "tmpfs",
            "source": "shm",
            "options": [*plain, "mode=1777", "size=16m"],
        },
        {
            "destination": "/sys",
            "type": "sysfs",
            "source": "sysfs",
            "options": plain if privileged else [*plain, "ro"],
        },
    ]


def _bind(place: str, file: Path) -> dict[str, Any]:
    return {"destination": place, "type": "bind", "source": str(file), "options": ["bind", "ro"]}
