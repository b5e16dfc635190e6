# SPDX-License-Identifier: Apache-2.0
"""The control group that the agent lives in: host policies spare it, by its name.

Under systemd it is the service's. Started by hand, the agent makes one for itself, since the shell's is not
its own.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from hauberk.errors import HauberkError

CGROUPS: Final = Path("/sys/fs/cgroup")
OWN: Final = "hauberk.service"
"""The name of the directory, wherever it is."""


class CgroupError(HauberkError):
    """The agent has no control group of its own."""


def own_cgroup() -> Path:
    """The directory of this process's control group (v2). Raises CgroupError."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        if line.startswith("0::"):
            return CGROUPS / line[3:].lstrip("/")
    raise CgroupError(
        "there is no unified control group hierarchy", "boot with systemd.unified_cgroup_hierarchy=1"
    )


def settle() -> Path:
    """See that this process is in a control group named OWN; the directory. Raises CgroupError."""
    here = own_cgroup()
    if OWN in here.parts:
        return here
    try:
        if not (CGROUPS / "cgroup.procs").exists():
            raise CgroupError(
                f"{CGROUPS} is no control group hierarchy of version 2",
                "mount -t cgroup2 none /sys/fs/cgroup",
            )
        own = CGROUPS / OWN
        own.mkdir(exist_ok=True)
        (own / "cgroup.procs").write_text(str(os.getpid()))
    except OSError as error:
        raise CgroupError(f"making a control group for the agent: {error.strerror}") from error
    return own


def remove() -> None:
    """Remove the control group that `settle` made, if nobody is in it."""
    with suppress(OSError):
        (CGROUPS / OWN).rmdir()
