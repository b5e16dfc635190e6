# SPDX-License-Identifier: Apache-2.0
"""How the policies of a run stand, and what came of it, as data for other programs."""

import os
from pathlib import Path
from typing import Any, Final

import msgspec

from hauberk.agent.plan import Ended, Kept, Outlook
from hauberk.enforcers.protocol import State
from hauberk.errors import HauberkError
from hauberk.events.pipeline import Losses
from hauberk.rules.model import Alias

_TEMPORARY: Final = ".hauberk-status"


def outlook_data(outlook: Outlook) -> dict[str, Any]:
    """`enforced` (all of it), `obstacle`, `policies` with their states, path `aliases` and `warnings`."""
    return {
        "enforced": not outlook.obstacle
        and all(status.state is State.ENFORCED for status in outlook.statuses),
        "obstacle": outlook.obstacle,
        "policies": [
            {
                "kind": status.policy.kind,
                "namespace": status.policy.namespace,
                "name": status.policy.name,
                "state": str(status.state),
                "reasons": [*status.reasons, *status.caveats],
            }
            for status in outlook.statuses
        ],
        "aliases": [_alias(alias) for alias in outlook.aliases],
        "warnings": list(outlook.warnings),
    }


def ended_data(session: Kept, ended: Ended) -> dict[str, Any]:
    """The outlook, and under `ended` the command's status, what is left of it, and what was counted."""
    pipeline = session.pipeline
    counts = pipeline.summary if pipeline else None
    return outlook_data(session.outlook) | {
        "ended": {
            "status": ended.status,
            "signal": ended.signal,
            "tasks_left": ended.left,
            "refused": counts.refused if counts else 0,
            "audited": counts.audited if counts else 0,
            "logged": counts.logged if counts else 0,
            "lost": msgspec.structs.asdict(pipeline.losses if pipeline else Losses()),
            "counters": session.counters,
        }
    }


def write_status(path: Path, data: dict[str, Any]) -> None:
    """Put the data into a file as one JSON object, in place of what it held: readers see all or nothing.

    Raises HauberkError.
    """
    temporary = path.with_name(f".{path.name[:200]}.{os.getpid()}{_TEMPORARY}")
    try:
        if path.exists() and not path.is_file():
            raise HauberkError(f"cannot write the status to {path}: it is not a regular file")
        temporary.write_bytes(msgspec.json.encode(data) + b"\n")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise HauberkError(f"cannot write the status to {path}: {error.strerror}") from error


def _alias(alias: Alias) -> dict[str, str]:
    return {
        "written": alias.written.decode(errors="backslashreplace"),
        "real": alias.real.decode(errors="backslashreplace"),
    }
