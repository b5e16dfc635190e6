# SPDX-License-Identifier: Apache-2.0
"""Where commands have events from: the agent, or, where none runs, the history that it has left."""

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import click
import msgspec

from hauberk.agent.control.client import AgentError
from hauberk.agent.feeder.listening import NoAgent, listen_to
from hauberk.agent.feeder.question import Answer, Ask, Begins, Done, Event, Lack
from hauberk.agent.feeder.wire import HISTORY
from hauberk.sinks.history import HistoryError
from hauberk.sinks.recall import Kept, Recall, Span

DEFAULT: Final = Path("/var/lib/hauberk") / HISTORY
_PAUSE_SECONDS: Final = 1.0

history_option = click.option(
    "--history",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Read this history instead of asking the agent.",
)

Note = Callable[[str], None]
"""Is told what a user should know, a line at a time."""


def events(ask: Ask, socket: str, history: Path | None, note: Note) -> Iterator[Answer]:
    """What is asked for: from a history, else from the agent, over its restarts if it is followed.

    Raises HauberkError.
    """
    if history is not None:
        yield from _of_file(history, ask.span)
        return
    had_agent = False
    waits = False
    while True:
        try:
            for answer in listen_to(ask, socket):
                if waits:
                    note("the agent is there")
                    waits = False
                had_agent = True
                if isinstance(answer, Event):
                    ask = _from(ask, answer.number)
                yield answer
                if isinstance(answer, Done):
                    return
            if not ask.follow:
                raise AgentError("the agent ended, or was stopped, before it had told all", "ask again")
        except NoAgent as error:
            if not had_agent and not waits and (_is_there(DEFAULT) or not ask.follow):
                number = yield from _without_agent(ask.span, error, note)
                ask = _from(ask, number)
            if not ask.follow:
                return
        if not waits:
            note("no agent runs: nothing new comes until one does")
            waits = True
        time.sleep(_PAUSE_SECONDS)


def _is_there(path: Path) -> bool:
    """Whether there is a history, though perhaps not for everybody."""
    try:
        return path.exists()
    except PermissionError:
        return True


def _from(ask: Ask, number: int) -> Ask:
    return msgspec.structs.replace(ask, span=msgspec.structs.replace(ask.span, after=number, limit=0))


def _without_agent(span: Span, error: NoAgent, note: Note) -> Generator[Answer, None, int]:
    """Returns the number of the last event."""
    if not _is_there(DEFAULT):
        raise error
    note(f"no agent runs, so nothing new comes: this is what {DEFAULT} has")
    try:
        number = yield from _of_file(DEFAULT, span)
    except HistoryError as trouble:
        raise HistoryError(f"{error.message}, and {trouble.message}", error.remedy) from trouble
    return number


def _of_file(path: Path, span: Span) -> Generator[Answer, None, int]:
    """Returns up to which number it goes."""
    with closing(Recall(path, span)) as recall:
        if oldest := recall.begins():
            yield Begins(oldest)
        for each in recall:
            if isinstance(each, Kept):
                yield Event(each.number, each.kind, msgspec.Raw(each.event))
            else:
                yield Lack(each.accesses, each.why)
        yield Done(recall.unreadable)
        return recall.reached
