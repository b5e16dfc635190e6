# SPDX-License-Identifier: Apache-2.0
"""What `hauberk agent` does: runs the loop, places what waits once, or removes every trace."""

import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from hauberk.agent.config.settings import Settings
from hauberk.agent.control.place import LOCK, AgentLock
from hauberk.agent.control.server import ControlServer
from hauberk.agent.feeder.client import Feeder
from hauberk.agent.feeder.wire import EVENTS, HISTORY
from hauberk.agent.gate.keeper import Gatekeeper
from hauberk.agent.gate.protocol import SOCKET as GATE
from hauberk.agent.node import cgroup
from hauberk.agent.node.daemon import SIGNALS, Daemon
from hauberk.agent.node.feeding import feeding_of, own_grpc_directory, remove_grpc_directory
from hauberk.agent.node.handlers import Handlers
from hauberk.agent.node.node import ENGINE, Node
from hauberk.agent.policies.store import PolicyStore
from hauberk.agent.session import obstacle_of
from hauberk.enforcers.bpf_lsm.engine import Engine
from hauberk.enforcers.bpf_lsm.lease import PIN_ROOT, engines
from hauberk.enforcers.bpf_lsm.placing import FIRST_TABLE
from hauberk.enforcers.bpf_lsm.state import STATE_ROOT, StateDirectory
from hauberk.errors import HauberkError
from hauberk.events.pipeline import Sink
from hauberk.kernel.features import probe
from hauberk.kernel.signals import SignalReader
from hauberk.sinks.jsonlines import JsonLines


class AgentError(HauberkError):
    """The agent cannot do its work."""


def run(settings: Settings, reread: Callable[[], Settings], command: Sequence[str]) -> None:
    """Look after this node until a signal asks to end. What is in force stays so. Raises HauberkError.

    `reread` gives the settings anew, for SIGHUP. `command` runs `place_once` with the same settings.
    """
    obstacle = obstacle_of(probe())
    if obstacle:
        raise AgentError(f"nothing can be enforced on this machine: {obstacle}")
    with ExitStack() as ending:
        signals = ending.enter_context(SignalReader(SIGNALS))
        ending.enter_context(AgentLock(Path(settings.socket).parent))
        cgroup.settle()
        own_grpc_directory(settings)
        feeder = Feeder(feeding_of(settings))
        sinks: list[Sink] = []
        if settings.alerts:
            most, files = settings.alerts_mib << 20, settings.alerts_files
            sinks.append(JsonLines(settings.alerts, most=most, files=files))
        sinks.append(feeder)
        for sink in sinks:
            ending.callback(sink.close)
        node = _node(settings, sinks, feeder)
        ending.callback(node.close)
        node.open(command)
        server = ControlServer(settings.socket, settings.socket_group, Handlers(node).answer)
        ending.callback(server.close)
        daemon = Daemon(node, signals, server, lambda: node.reload(reread))
        ending.callback(daemon.close)
        daemon.run()


def place_once(settings: Settings) -> None:
    """Put the containers that wait under their policies, where no agent does. Raises HauberkError.

    For the gate: it lets a start go on if this ends well.
    """
    with AgentLock(Path(settings.socket).parent):
        node = _node(settings, None)
        try:
            node.rule()
            node.starts.catch_up()
            if not node.starts.may_go_on():
                why = "; ".join(f"{name}: {reason}" for name, reason in node.starts.unbound.items())
                raise AgentError(f"not every container that waits could be bound: {why}")
        finally:
            node.close()


def uninstall(settings: Settings) -> list[str]:
    """Remove every trace but the configuration, which is the user's; what was removed, in words.

    Raises HauberkError: an agent is running, say.
    """
    done = []
    with AgentLock(Path(settings.socket).parent):
        if Path(GATE).exists():
            Gatekeeper([], "refuse", [sys.executable]).end()
            done.append("starts of containers are not held any more")
        if ENGINE in engines():
            Engine.adopt(ENGINE).remove()
            done.append("nothing is enforced any more")
        StateDirectory(ENGINE).remove()
        PolicyStore(Path(settings.state_directory)).remove()
        done.append(f"policies that were applied are gone from {settings.state_directory}")
        for path in Path(settings.state_directory).glob(f"{HISTORY}*"):
            path.unlink()
        cgroup.remove()
        remove_grpc_directory(settings)
    run = Path(settings.socket).parent
    # Who was killed has left its socket.
    for name in (Path(settings.socket).name, EVENTS, LOCK):
        run.joinpath(name).unlink(missing_ok=True)
    for path in (run, Path(settings.state_directory), STATE_ROOT, PIN_ROOT):
        # Whatever else is in there is not the agent's.
        with suppress(OSError):
            path.rmdir()
    return done


def _node(settings: Settings, sinks: Sequence[Sink] | None, feeder: Feeder | None = None) -> Node:
    """The node with the engine that is in force, or with a new one. Raises HauberkError."""
    store = PolicyStore(Path(settings.state_directory))
    if ENGINE in engines():
        engine = Engine.adopt(ENGINE)
    else:
        engine = Engine.load(
            ENGINE,
            table_bytes=(settings.table_mib << 20) - FIRST_TABLE,
            max_tasks=settings.max_tasks,
        )
    try:
        if not engine.is_current:
            engine.renew()
        return Node(settings, store, engine, sinks, feeder)
    except BaseException:
        engine.close()
        raise
