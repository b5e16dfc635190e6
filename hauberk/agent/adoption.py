# SPDX-License-Identifier: Apache-2.0
"""A run whose Hauberk was killed, looked after again: its alerts, its status, its policies, its end."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from hauberk.agent.about import About
from hauberk.agent.child import in_child
from hauberk.agent.held import held_caveats
from hauberk.agent.plan import Ended, Outlook, Prepared, Request, SessionError
from hauberk.agent.session import refuse_unenforced
from hauberk.agent.watch import WORKLOAD, Watch
from hauberk.enforcers.bpf_lsm.engine import Engine
from hauberk.enforcers.bpf_lsm.lease import PIN_ROOT, RUN_PREFIX, engines, is_held, tasks_of
from hauberk.enforcers.bpf_lsm.programs import needed
from hauberk.enforcers.bpf_lsm.state import StateDirectory, StateError
from hauberk.enforcers.protocol import PolicyStatus, State
from hauberk.errors import HauberkError
from hauberk.events.identity import WorkloadIdentity
from hauberk.events.pipeline import Pipeline, Sink
from hauberk.kernel.errors import KernelError
from hauberk.kernel.signals import SignalReader


@dataclass(frozen=True, slots=True)
class Candidate:
    """A run that is in force. `name` is the workload's, empty if that is not known."""

    engine: str
    name: str
    command: tuple[str, ...]
    tasks: int
    held: bool
    """Somebody looks after it."""

    def __str__(self) -> str:
        what = f"{self.name}: {' '.join(self.command)}" if self.name else "its state is lost"
        return f"{self.engine} ({what}; {self.tasks} tasks)"


def candidates() -> Iterator[Candidate]:
    """The runs that have tasks left."""
    for name in engines():
        try:
            tasks = tasks_of(PIN_ROOT / name) if name.startswith(RUN_PREFIX) else 0
            if tasks:
                about = _about(name)
                yield Candidate(
                    name, about.name if about else "", about.command if about else (), tasks, is_held(name)
                )
        except (KernelError, OSError):
            continue  # it ends just now


def _about(name: str) -> About | None:
    try:
        files = StateDirectory(name)
        return About.decode(files.read_about(files.read().about[WORKLOAD]))
    except (StateError, KeyError):
        return None


def find(name: str) -> str:
    """The engine to adopt: by its own or by its workload's name, or the only one. Raises HauberkError."""
    found = [each for each in candidates() if name in ("", each.engine, each.name)]
    free = [each for each in found if not each.held]
    if len(free) == 1:
        return free[0].engine
    if free:
        lines = "".join(f"\n  {each}" for each in free)
        raise HauberkError(f"there are {len(free)} runs that nobody looks after:{lines}", "name one of them")
    if found:
        lines = "".join(f"\n  {each}" for each in found)
        raise HauberkError(f"Hauberk looks after it already:{lines}")
    raise HauberkError(f"there is no run {name!r}" if name else "there is no run that nobody looks after")


class Adoption:
    """An adopted run. `outlook` says how its policies stand now, with what was found wrong."""

    def __init__(self, name: str, sinks: Sequence[Sink], signals: SignalReader) -> None:
        """Raises EnforcerError; the run is as it was then."""
        self._signals = signals
        self._engine = Engine.adopt(name)
        try:
            self._about = About.decode(self._engine.about(WORKLOAD))
            identity = self._about.identity if self._about else WorkloadIdentity()
            self._watch = Watch(self._engine, identity, sinks)
        except BaseException:
            self._engine.close()
            raise
        self.outlook = self._degraded(self._about.outlook if self._about else Outlook(()))

    def _degraded(self, outlook: Outlook) -> Outlook:
        findings = tuple(self._engine.findings)
        statuses = tuple(
            PolicyStatus(each.policy, State.DEGRADED, (*each.reasons, *findings)) if findings else each
            for each in outlook.statuses
        )
        return replace(outlook, statuses=statuses, warnings=(*outlook.warnings, *findings))

    @property
    def findings(self) -> Sequence[str]:
        """What was found wrong and is not as it should be, in words."""
        return self._engine.findings

    @property
    def is_current(self) -> bool:
        """Whether the programs in the kernel are those of this version."""
        return self._engine.is_current

    def upgrade(self) -> None:
        """Replace the programs in the kernel by this version's. Raises EnforcerError; the old ones go on."""
        self._engine.renew()

    def change(self, policies: Sequence[str], *, allow_unenforced: bool, allow_unselected: bool) -> None:
        """Put other policies in force, in one step. Raises HauberkError; the old ones hold then."""
        about = self._about
        if about is None:
            raise SessionError(
                "nothing is known of this run's workload, so that no policies can be chosen for it",
                "what is in force stays so; let the command end and start it anew",
            )
        request = about.request(
            policies, allow_unenforced=allow_unenforced, allow_unselected=allow_unselected
        )
        prepared = in_child(partial(_prepare_change, request, about, self._engine), self._signals)
        refuse_unenforced(prepared.outlook, allow_unenforced)
        assert prepared.table is not None
        self._engine.require(needed(prepared.table.flags))
        if prepared.linked:
            self._engine.note_links(prepared.table, about.root(), prepared.linked)
        self._about = about.under(prepared.outlook)
        self._engine.install(WORKLOAD, prepared.table, prepared.rules, self._about.encode())
        self._watch.learn_rules()
        caveats = held_caveats(self._engine.held(WORKLOAD), prepared.rules)
        statuses = prepared.outlook.statuses
        statuses = tuple(each.with_caveats(caveats.get(each.policy, ())) for each in statuses)
        self.outlook = self._degraded(replace(prepared.outlook, statuses=statuses))

    def watch(self) -> Ended:
        """Pass on what is reported until the last confined task ends, and free the tables then.

        Raises Interruption if a signal asks to leave; the run stays in force, and can be adopted again.
        """
        try:
            self._watch.until_end(self._signals)
        except BaseException:
            self._watch.drain()
            raise
        self._engine.remove()
        return Ended(0, 0, 0)

    @property
    def left(self) -> int:
        """Confined tasks that are alive."""
        return self._watch.tasks

    @property
    def pipeline(self) -> Pipeline | None:
        """What came of it since it was adopted."""
        return self._watch.pipeline

    @property
    def counters(self) -> dict[str, int]:
        """What the kernel lost or refused for want of room, since the run began."""
        return self._watch.counters

    def close(self) -> None:
        """Leave it as it is."""
        self._engine.close()


def _prepare_change(request: Request, about: About, engine: Engine) -> Prepared:
    # Imported in the child only: this process shall not carry what it needs once.
    from hauberk.agent.prepare import prepare_change

    return prepare_change(request, about, engine)
