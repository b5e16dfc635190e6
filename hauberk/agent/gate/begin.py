# SPDX-License-Identifier: Apache-2.0
"""How the gate's process begins. Its arguments are the number of a descriptor, which is the line to the agent
that starts it, and the path that its socket is to have; keeper.py gives them."""

import os
import signal
import sys
from contextlib import suppress
from socket import socket

from hauberk.agent.gate.lastknown import IGNORED
from hauberk.agent.gate.listener import Listener
from hauberk.agent.gate.process import Gate
from hauberk.agent.gate.programs import Programs
from hauberk.agent.gate.protocol import pack
from hauberk.errors import HauberkError
from hauberk.kernel.fanotify import ExecPermissions


def main() -> None:
    """Become a gate, and end as one."""
    agent = socket(fileno=int(sys.argv[1]))
    agent.set_inheritable(False)
    # Nobody's child: an agent that goes on without it need not wait for it.
    if os.fork():
        os._exit(0)
    _stand_alone()
    try:
        with Listener(sys.argv[2]) as listener, ExecPermissions() as group, Programs(group) as programs:
            gate = Gate(listener, group, programs)
            gate.connect(agent)
            gate.run()
    except HauberkError as error:
        _tell_failure(agent, error.message, error.remedy)
    except Exception as error:
        _tell_failure(agent, f"the gate ends: {error!r}", "")


def _stand_alone() -> None:
    os.setsid()
    os.chdir("/")
    os.umask(0o077)
    # It ends when an agent says so, or by SIGKILL.
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    with open("/proc/self/comm", "w") as file:
        file.write("hauberk-gate")
    # Without CAP_SYS_RESOURCE it is as likely to be killed for want of memory as what started it.
    with suppress(PermissionError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("-999")


def _tell_failure(agent: socket, message: str, remedy: str) -> None:
    with suppress(OSError):
        agent.send(pack("failed", message=message, remedy=remedy))
