# SPDX-License-Identifier: Apache-2.0
"""The compiler's process: `python -m hauberk.agent.compiler.worker AGENT SOCKET OWN-FILE...`.

It says that it is there, then does one job after the other until the agent lets go of the socket or ends.
"""

import gc
import os
import socket
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Final

from hauberk.agent.compiler.jobs import CompilerError, RejectedError
from hauberk.agent.compiler.service import Service
from hauberk.agent.compiler.wire import Channel
from hauberk.errors import HauberkError
from hauberk.kernel.signals import die_with

_EXPENDABLE: Final = "500"
"""Its weight when memory is short (oom_score_adj): it can come back, the agent cannot."""


def serve(channel: Channel, service: Service) -> None:
    """Do jobs until nobody asks any more."""
    channel.send("ready")
    with suppress(EOFError, OSError):
        while True:
            job, arguments = channel.receive()
            channel.send(_answer(service, job, arguments))
            # What the job was about is not needed any more, and may be large.
            del arguments


def _answer(service: Service, job: str, arguments: tuple[object, ...]) -> tuple[object, HauberkError | None]:
    # Hardly anything that jobs make refers to itself, and most of it is kept.
    gc.disable()
    try:
        return getattr(service, job)(*arguments), None
    except (RejectedError, CompilerError) as error:
        return None, error
    except HauberkError as error:
        return None, HauberkError(error.message, error.remedy)
    except Exception as error:
        what = f"the policy compiler has a defect: {type(error).__name__}: {error}"
        return None, CompilerError(
            what, "what is in force stays so; please report it", traceback.format_exc()
        )
    finally:
        gc.enable()


def main() -> None:
    agent, end = int(sys.argv[1]), int(sys.argv[2])
    die_with(agent)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_EXPENDABLE)
    # Out of the way of whoever wants to unmount a file system.
    os.chdir("/")
    service = Service(keeper=agent, own_files=sys.argv[3:])
    gc.freeze()
    serve(Channel(socket.socket(fileno=end)), service)


if __name__ == "__main__":
    main()
