# SPDX-License-Identifier: Apache-2.0
"""Where containers come in: the line to the gate, and who may pass."""

from collections.abc import Callable, Sequence

from hauberk.agent.gate.keeper import Gatekeeper, GateLost
from hauberk.agent.node.findings import Findings
from hauberk.agent.node.starts import Starts
from hauberk.enforcers.bpf_lsm.engine import Engine


class Entrance:
    """Answers for containers that wait. `on_revived` is called when the gate had died, and starts were not
    held for some time."""

    def __init__(
        self,
        starts: Starts,
        engine: Engine,
        findings: Findings,
        *,
        on_agent_loss: str,
        command: Sequence[str],
        on_revived: Callable[[], None],
    ) -> None:
        """Have starts held from now on. Raises HauberkError.

        `command` puts a container in its place while no agent is there.
        """
        self._starts = starts
        self._engine = engine
        self._findings = findings
        self._on_revived = on_revived
        self.gate = Gatekeeper(starts.runtimes.programs(), on_agent_loss, command)
        self._guard()

    def line(self) -> int:
        """The descriptor that is readable when some wait; -1 if there is no gate at the moment."""
        for _ in range(2):
            try:
                return self.gate.fileno()
            except GateLost:
                self._revive()
        return -1

    def serve(self) -> None:
        """Let those go on whose containers are under their policies, and refuse the others."""
        try:
            if waiting := self.gate.waiting():
                caught_up = self._findings.of("containers", self._starts.catch_up)
                for each in waiting:
                    self.gate.answer(each, caught_up and self._starts.may_go_on())
        except GateLost:
            self._revive()

    def look_for_programs(self) -> None:
        """A runtime may have come or gone."""
        try:
            self.gate.hold(self._starts.runtimes.programs())
            self._guard()
        except GateLost:
            self._revive()

    def close(self) -> None:
        """Leave the gate at its post."""
        self.gate.close()

    def _revive(self) -> None:
        if self._findings.of("gate", self.gate.revive):
            self._guard()
            self._on_revived()

    def _guard(self) -> None:
        self._engine.keep(self.gate.pid)
        self._findings.note("what the gate holds", "; ".join(self.gate.faults))
