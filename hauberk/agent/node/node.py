# SPDX-License-Identifier: Apache-2.0
"""A node: its engine, its workloads and their policies, and what is to be done when something happens.

Starts of containers come before everything else: whatever takes long looks in between whether some wait
(`tend`).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec

from hauberk.agent.compiler.client import Compiler
from hauberk.agent.compiler.jobs import Checked, Facts, Source
from hauberk.agent.config.kinds import SECTIONS
from hauberk.agent.config.settings import Settings
from hauberk.agent.control.messages import Explain, Explanation
from hauberk.agent.feeder.client import Feeder
from hauberk.agent.node import feeding
from hauberk.agent.node.again import Again
from hauberk.agent.node.changes import Changes
from hauberk.agent.node.entrance import Entrance
from hauberk.agent.node.findings import Findings
from hauberk.agent.node.forgetting import Forgetting
from hauberk.agent.node.member import Member
from hauberk.agent.node.members import Members
from hauberk.agent.node.notify import notify
from hauberk.agent.node.ruling import Ruling
from hauberk.agent.node.services import Services
from hauberk.agent.node.starts import Starts
from hauberk.agent.node.tally import Tally
from hauberk.agent.policies.store import GLOBAL, PolicyStore
from hauberk.agent.reader import Reader
from hauberk.enforcers.bpf_lsm.engine import Engine
from hauberk.errors import HauberkError
from hauberk.events.clock import Clock
from hauberk.events.identity import WorkloadIdentity
from hauberk.events.mask import Mask
from hauberk.events.pipeline import Pipeline, Sink
from hauberk.events.translate import Translator
from hauberk.rules.model import Posture, Postures, Seen

SERVICES: Final = Path("/sys/fs/cgroup/system.slice")
"""Where systemd has a directory for each service."""
REST_SECONDS: Final = 120.0
"""After this long without anything to compile, the compiler's memory is given back. Starting it anew takes
longer than binding a container, and these come in bunches."""
_DEEPEST: Final = 8
"""Directories of runtimes below one another: each can be watched once the one above it is."""
ENGINE: Final = "node"
"""The name of the agent's engine."""


class Node:
    """Everything that the agent knows and does, without the loop that drives it."""

    def __init__(
        self,
        settings: Settings,
        store: PolicyStore,
        engine: Engine,
        sinks: Sequence[Sink] | None,
        feeder: Feeder | None = None,
    ) -> None:
        """Take up what the engine has in force. Without `sinks` what the kernel reports is left to another
        agent. `feeder` is one of them. Raises HauberkError."""
        self.settings = settings
        self.store = store
        self.engine = engine
        self.feeder = feeder
        self.findings = Findings()
        self.tally = Tally()
        self.members = Members(engine)
        self._compiler = Compiler([settings.alerts] if settings.alerts.startswith("/") else ())
        self._again = Again(lambda: self._compiler.losses)
        self._translator = Translator(Clock(), Mask(settings.masks))
        for member in self.members:
            self._introduce(member)
        for workload, generation, rules in engine.generations():
            self._translator.add_rules(workload, generation, rules)
        self.pipeline = Pipeline(self._translator, (self.tally, *(sinks or ())), on_ended=self._ended)
        self._reader = Reader(engine, self.pipeline) if sinks is not None else None
        self.entrance: Entrance | None = None
        self.changes = Changes()
        self._some_ended = False
        self._forgetting = Forgetting(engine, self._translator.drop_rules)
        ruling = Ruling(engine, self._compiler, self.facts, self._translator.add_rules)
        self.ruling = ruling
        self.starts = Starts(engine, self.members, ruling, on_come=self._introduce, on_gone=self._forget)
        self.services = Services(engine, self.members, ruling, on_come=self._introduce, on_gone=self._forget)

    # What the node is made of

    def _introduce(self, member: Member) -> None:
        self._translator.add_workload(member.number, self.identity(member))
        self._tell_feeder(member, "updated")

    def _forget(self, member: Member) -> None:
        self._translator.drop_workload(member.number)
        self.tally.forget(self.identity(member))
        self._tell_feeder(member, "deleted")

    def _tell_feeder(self, member: Member, what: str) -> None:
        change = feeding.change_of(member, what)
        if self.feeder is not None and change is not None:
            self.feeder.change(change)

    def facts(self, member: Member) -> Facts:
        """What the compiler has to know of a member."""
        found = member.container
        return Facts(
            number=member.number,
            kind=member.kind,
            namespace=self._namespace(member),
            name=member.name,
            labels=member.labels,
            node=self.settings.node_name if self.settings.host_policy and not found else None,
            node_labels=self.settings.node_labels,
            postures=self.postures_of(member),
            visible=self.visible_of(member),
            pid=found.pid if found else 1,
            guarded=found is not None,
            base_set=self.settings.base_set,
            forced=self.store.forced(),
        )

    def _namespace(self, member: Member) -> str | None:
        """By which policies select a member; None: none of a namespace does."""
        is_tracked = self.settings.container_policy and (
            member.namespace not in self.settings.untracked_namespaces
        )
        return member.namespace if is_tracked or not member.container else None

    def postures_of(self, member: Member) -> Postures:
        """The default postures of a member: its own, else its namespace's, else those of all."""
        is_container = member.kind == "container"
        found = self.settings.postures if is_container else self.settings.host_postures
        for sections in (
            self.store.postures(GLOBAL) if is_container else {},
            self.settings.namespace_postures.get(member.namespace, {}),
            self.store.postures(f"namespace {member.namespace}"),
            self.store.postures(f"workload {member.name}"),
        ):
            found = replace(found, **{section: Posture(value) for section, value in sections.items()})
        return found

    def posture_scopes(self) -> dict[str, dict[str, str]]:
        """The postures in force, by scope."""
        own = {
            "global": sections_of(self.settings.postures) | self.store.postures(GLOBAL),
            "host": sections_of(self.settings.host_postures),
        }
        for namespace, sections in self.settings.namespace_postures.items():
            own[f"namespace {namespace}"] = dict(sections)
        for scope, sections in self.store.scopes.items():
            own[scope] = own.get(scope, {}) | sections
        return own

    def visible_of(self, member: Member) -> tuple[Seen, ...]:
        """What is reported of a member though it is permitted: what is set for it, else for its namespace,
        else for all."""
        set_ = self.store.visibility
        for scope in (f"workload {member.name}", f"namespace {member.namespace}"):
            if scope in set_:
                return sections_named(set_[scope])
        if member.container is None:
            return self.settings.host_visibility
        if member.namespace in self.settings.namespace_visibility:
            return self.settings.namespace_visibility[member.namespace]
        return sections_named(set_[GLOBAL]) if GLOBAL in set_ else self.settings.visibility

    def visibility_scopes(self) -> dict[str, tuple[str, ...]]:
        """What is reported though it is permitted, by scope."""
        settings = self.settings
        own = {"global": settings.visibility, "host": settings.host_visibility}
        for namespace, sections in settings.namespace_visibility.items():
            own[f"namespace {namespace}"] = sections
        names = {scope: tuple(each.name.lower() for each in sections) for scope, sections in own.items()}
        return names | self.store.visibility

    def identity(self, member: Member) -> WorkloadIdentity:
        """What alerts say of a member."""
        return member.identity(self.settings.node_name, self.settings.cluster)

    def check(self, sources: Sequence[Source]) -> Checked:
        """Look at policies; nothing changes. Raises HauberkError."""
        return self._compiler.check(sources)

    def explain(self, member: Member, query: Explain) -> tuple[Explanation, ...]:
        """What is decided about accesses of a member, and why. Raises HauberkError."""
        return self._compiler.explain(self.facts(member), query, member.began)

    def losses(self) -> dict[str, int]:
        """What was lost or refused for want of room, by cause; also causes of which nothing was."""
        counters = self.engine.counters()
        self.pipeline.note_ring_losses(counters["lost_violations"], counters["lost_events"])
        lost = {**msgspec.structs.asdict(self.pipeline.losses), **counters}
        if self.feeder is not None:
            lost |= self.feeder.told.lost
        return lost

    def all_findings(self) -> Iterator[str]:
        """What is wrong now, in words."""
        yield from self.engine.findings
        yield from self.findings
        if self.feeder is not None:
            yield from self.feeder.findings
        for faults in self.store.faults.values():
            yield from faults
        for name, why in self.starts.unbound.items():
            yield f"container {name[:12]} is not bound: {why}"

    # What is done when something happens

    def open(self, command: Sequence[str]) -> None:
        """Begin: have starts of containers held, and put everything under the policies there are. `command`
        puts a container in its place while no agent is there. Raises HauberkError."""
        self.entrance = Entrance(
            self.starts,
            self.engine,
            self.findings,
            on_agent_loss=self.settings.on_agent_loss,
            command=command,
            on_revived=self.catch_up,
        )
        if self.feeder is not None:
            self.feeder.start(lambda: feeding.workloads(self.members))
        for member in self.members:
            self.ruling.retry(member)
        # Before the first look at them, which then need not be repeated.
        self._watch_policies()
        self._watch_places()
        self.findings.of("policies", self.load_directory)
        self.findings.of("policies", self._rule_containers)
        self.catch_up()
        self._look_into_new()

    def load_directory(self) -> None:
        """Read the watched directory anew. Raises HauberkError."""
        self.store.load_directory(Path(self.settings.policies_directory), self.check)

    def reload(self, reread: Callable[[], Settings]) -> None:
        """Go on with the settings as they are now, unless these have faults, and with what the watched
        directory holds."""
        self.findings.of("settings", lambda: self._take(reread()))
        for member in self.members:
            self._introduce(member)
            self.ruling.retry(member)
        self.findings.of("policies", self.load_directory)
        self.findings.of("policies", self._rule_containers)
        self.catch_up()

    def _take(self, settings: Settings) -> None:
        """Raises HauberkError if a setting differs that cannot change while the agent runs."""
        fixed = (
            *("socket", "socket_group", "state_directory", "alerts", "alerts_mib", "alerts_files"),
            *("table_mib", "max_tasks"),
        )
        changed = [name for name in fixed if getattr(settings, name) != getattr(self.settings, name)]
        if changed:
            raise HauberkError(
                f"these settings take effect when the agent is started anew: {', '.join(changed)}",
                "restart the agent; what is in force stays so",
            )
        self.settings = settings
        self._translator.mask = Mask(settings.masks)
        if self.feeder is not None:
            self.feeder.configure(feeding.feeding_of(settings))

    def _watch_policies(self) -> bool:
        """Watch the directory of policies; whether it was not watched before."""
        return self.changes.watch([Path(self.settings.policies_directory)], written=True)

    def _watch_places(self) -> bool:
        """Watch the directories that tell of containers and services; whether one was not watched before."""
        return self.changes.watch([*self.starts.runtimes.watched(), SERVICES])

    def _look_into_new(self) -> None:
        """Watch what has come to be there, and look at what has happened in it before that."""
        if self._watch_policies():
            self.findings.of("policies", self.load_directory)
            self.findings.of("policies", self.rule)
        for _ in range(_DEEPEST):
            if not self._watch_places():
                break
            self.catch_up()

    def look_at_changes(self) -> None:
        """Something has changed in a directory that is watched."""
        changed = self.changes.read()
        policies = Path(self.settings.policies_directory)
        if changed is None or policies in changed:
            self.findings.of("policies", self.load_directory)
            self.findings.of("policies", self.rule)
        if changed is None or changed - {policies}:
            self.catch_up()
            if self.entrance is not None:
                self.entrance.look_for_programs()
        self._look_into_new()

    def catch_up(self) -> None:
        """Put whatever has come under its policies, and forget what has gone. Trouble becomes a finding."""
        self.findings.of("containers", self.starts.catch_up)
        self._catch_up_services()

    def _catch_up_services(self) -> None:
        self.findings.of("services", lambda: self.services.catch_up(self._compiler.units()))

    def rule(self) -> None:
        """Put everybody under the policies there are now. Raises HauberkError if these cannot be used."""
        self._rule_containers()
        self._catch_up_services()

    def _rule_containers(self) -> None:
        """Containers of a name in the order of their start. Raises HauberkError."""
        self._compiler.use(self.store.sources())
        containers = self.members.containers()
        for member, fingerprint in zip(containers, self.ruling.choose(containers), strict=True):
            waits = member.container is not None and member.container.waits
            self.ruling.put(member, fingerprint, waits=waits)
            self.tend()

    def tend(self) -> None:
        """Look after starts that wait, the rings and the watchdog, in the middle of something else."""
        notify("WATCHDOG=1")
        if self.entrance is not None:
            self.entrance.serve()
        if self._reader is not None:
            self._reader.read()

    def read(self) -> None:
        """Pass on what the kernel reported, part with who has ended, and do again what was lost."""
        if self._reader is not None:
            self._reader.read()
        if self._some_ended:
            self._some_ended = False
            self.findings.of("containers", self.starts.catch_up)
        self._forgetting.forget_if_due()
        self._again.do_if_due(self._do_again)

    def _do_again(self) -> None:
        self.ruling.retry_lost(self.members)
        self.findings.of("policies", self.load_directory)
        self.findings.of("policies", self._rule_containers)
        self.catch_up()

    def due_in(self) -> float | None:
        """In how many seconds `read` has to be called although nothing may have happened."""
        dues = (self._again.due_in(), self._reader.due_in() if self._reader is not None else None)
        return min((each for each in dues if each is not None), default=None)

    def flush(self) -> bool:
        """Let the sinks try again, and forget rules of which no record can come. Whether to do it again."""
        self.pipeline.flush()
        rings = self.engine.violations, self.engine.events
        if any(ring.read != ring.written for ring in rings):
            return True
        self._forgetting.forget_all()
        return False

    def rest_due_in(self) -> float | None:
        """In how many seconds `rest` has memory to give back, if nothing happens; None: never."""
        idle = self._compiler.idle_seconds()
        return None if idle is None else max(0.0, REST_SECONDS - idle)

    def rest(self) -> None:
        """Give back what is only needed now and then, and was not for some time."""
        if self.rest_due_in() == 0:
            self._compiler.rest()

    def close(self) -> None:
        """Leave everything in force, and the gate at its post."""
        if self._reader is not None:
            self._reader.finish()
        if self.entrance is not None:
            self.entrance.close()
        self._compiler.close()
        self.changes.close()
        self.engine.close()

    def _ended(self, workload: int) -> None:
        self._some_ended = True


def sections_of(postures: Postures) -> dict[str, str]:
    """Postures by their sections, as messages and settings have them."""
    return {
        "file": str(postures.file),
        "network": str(postures.network),
        "capabilities": str(postures.capabilities),
    }


def sections_named(names: Sequence[str]) -> tuple[Seen, ...]:
    """What names of sections stand for; those that this version does not know are left out."""
    return tuple(SECTIONS[name] for name in names if name in SECTIONS)
