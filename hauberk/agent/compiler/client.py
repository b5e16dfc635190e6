# SPDX-License-Identifier: Apache-2.0
"""The agent's side of its compiler: one job at a time, each with a deadline.

A compiler that dies fails the job that it was at, and no other: the next one finds a new process, which is
told the policies again.
"""

import os
import pickle
import signal
import socket
import time
from collections.abc import Collection, Sequence
from select import POLLIN, poll
from typing import Any, Final, Self

from hauberk.agent.compiler.jobs import Began, Checked, Compiled, CompilerError, Facts, Source
from hauberk.agent.compiler.wire import Channel
from hauberk.agent.control.messages import Explain, Explanation
from hauberk.agent.spawn import how_it_ended, spawn
from hauberk.errors import HauberkError

JOB_SECONDS: Final = 60.0
"""How long one job may take."""
START_SECONDS: Final = 120.0
"""How long a new process may take to be there: mostly to import."""

_WORKER: Final = "hauberk.agent.compiler.worker"
_REMEDY: Final = "what is in force stays so"
_LAST_BREATH_MS: Final = 2000


class Compiler:
    """A process that compiles, started anew whenever it is needed and not there.

    It ends with the thread that started it. `own_files` are files that the agent writes, from which guarded
    workloads are kept. Use as a context manager, or call `close`. Raises CompilerError if it cannot start.
    """

    def __init__(self, own_files: Sequence[str] = (), seconds: float = JOB_SECONDS) -> None:
        self._own_files = tuple(map(os.path.abspath, own_files))
        self._seconds = seconds
        self._sources: tuple[Source, ...] = ()
        self._worker: _Worker | None = None
        self.losses = 0
        """Jobs that were not done because the process was killed, took too long or could not be started."""
        self._used = time.monotonic()
        self._ready()

    def check(self, sources: Sequence[Source]) -> Checked:
        """Look at policies; nothing is put in use. Raises CompilerError."""
        found: Checked = self._do("check", tuple(sources))
        return found

    def use(self, sources: Sequence[Source]) -> None:
        """Have these policies in use from now on. Raises HauberkError if they have faults, or CompilerError;
        those before are in use then."""
        given = tuple(sources)
        self._do("use", given)
        self._sources = given
        if self._worker is not None:
            self._worker.uses = given

    def choose(self, facts: Sequence[Facts]) -> list[str]:
        """For each workload what stands for the policies that bind it, its postures and what is visible:
        equal as long as `compile` would come to the same. Empty if there is nothing to enforce nor to report.

        Raises CompilerError.
        """
        found: list[str] = self._do("choose", tuple(facts))
        return found

    def compile(
        self, facts: Facts, base: int, began: Began | None = None, known: Collection[bytes] = ()
    ) -> Compiled:
        """What is to be in force for a workload, with a table for the place `base` in the arena.

        `began` is what the first Compiled of the workload had; None if it begins now, so that what its `pid`
        sees is what counts. If a table of one of the keys `known` would do, none is compiled.

        Raises RejectedError if the policies cannot be enforced for it, HauberkError if its process is gone,
        CompilerError.
        """
        found: Compiled = self._do("compile", facts, base, began, frozenset(known))
        return found

    def closed(self, base: int) -> Compiled:
        """Table and rules of a workload in which nothing can be executed or opened. Raises HauberkError."""
        found: Compiled = self._do("closed", base)
        return found

    def explain(self, facts: Facts, query: Explain, began: Began | None = None) -> tuple[Explanation, ...]:
        """What is decided about an alert's access or about the accesses that the query names, under the
        policies in use. `began` as for `compile`. Raises HauberkError."""
        found: tuple[Explanation, ...] = self._do("explain", facts, query, began)
        return found

    def units(self) -> tuple[str, ...]:
        """The systemd units that policies in use pick by name. Raises CompilerError."""
        found: tuple[str, ...] = self._do("units")
        return found

    @property
    def pid(self) -> int | None:
        """The compiler's process, if there is one."""
        return self._worker.pid if self._worker else None

    def idle_seconds(self) -> float | None:
        """How long the process has had nothing to do; None if there is none."""
        return time.monotonic() - self._used if self._worker is not None else None

    def rest(self) -> None:
        """End the process, to free its memory. The next job has it started again."""
        if self._worker is not None:
            self._worker.end()
            self._worker = None

    def close(self) -> None:
        """The same, for good."""
        self.rest()

    def _do(self, job: str, *arguments: object) -> Any:
        try:
            worker = self._ready()
            if job in ("choose", "compile", "explain", "units") and worker.uses is not self._sources:
                worker.ask(self._seconds, "use", self._sources)
                worker.uses = self._sources
            return worker.ask(self._seconds, job, *arguments)
        except WorkerLostError:
            self.losses += 1
            self._worker = None
            raise
        except HauberkError:
            raise
        except BaseException:
            # Its answer would be taken for that to the next job.
            self.rest()
            raise
        finally:
            self._used = time.monotonic()

    def _ready(self) -> "_Worker":
        if self._worker is None or self._worker.has_ended():
            self.rest()
            try:
                self._worker = _Worker(self._own_files)
            except OSError as error:
                raise WorkerLostError(
                    f"the policy compiler cannot be started: {error.strerror}", _REMEDY
                ) from error
        return self._worker

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class WorkerLostError(CompilerError):
    """The process did not live to do its job."""


class _Worker:
    """One process. `uses` are the policies that it was told of last."""

    def __init__(self, own_files: tuple[str, ...]) -> None:
        self.uses: tuple[Source, ...] = ()
        self._greeted = False
        ours, theirs = socket.socketpair()
        with theirs:
            self.pid = spawn(_WORKER, theirs, own_files)
        self._pidfd = os.pidfd_open(self.pid)
        self._channel = Channel(ours)

    def ask(self, seconds: float, job: str, *arguments: object) -> Any:
        """Have a job done. Raises the HauberkError that came of it; WorkerLostError if it is gone now."""
        try:
            if not self._greeted:
                self._channel.receive(START_SECONDS)
                self._greeted = True
            self._channel.send((job, arguments), seconds)
            result, error = self._channel.receive(seconds)
        except TimeoutError:
            self.end()
            what = f"`{job}` took longer than {seconds:g} s" if self._greeted else "it did not start"
            raise WorkerLostError(f"the policy compiler was ended: {what}", _REMEDY) from None
        except (EOFError, OSError, pickle.UnpicklingError):
            # It is going: how, its status tells.
            how = self.end(_LAST_BREATH_MS)
            raise WorkerLostError(f"the policy compiler {how} during `{job}`", _REMEDY) from None
        if error is not None:
            raise error
        return result

    def has_ended(self, wait_ms: int = 0) -> bool:
        waiting = poll()
        waiting.register(self._pidfd, POLLIN)
        return bool(waiting.poll(wait_ms))

    def end(self, wait_ms: int = 0) -> str:
        """End it if it does not end by itself in that time; how it ended, in words."""
        self._channel.close()
        if not self.has_ended(wait_ms):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        os.close(self._pidfd)
        return how_it_ended(self.pid)
