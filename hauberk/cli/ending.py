# SPDX-License-Identifier: Apache-2.0
"""How a command of Hauberk ends when it does not simply end: by an error or a signal."""

import os
import resource
import signal
import sys
from contextlib import suppress
from typing import NoReturn

import click

from hauberk.errors import HauberkError

FAILED = 125
"""Exit status of Hauberk's own refusals and failures, which no command's status is likely to be."""


def say(error: HauberkError) -> None:
    """Tell of an error, with its remedy, if somebody is there to be told."""
    with suppress(OSError):
        click.echo(f"hauberk: {error.message}", err=True)
        if error.remedy:
            click.echo(f"  {error.remedy}", err=True)


def die_by(number: int) -> NoReturn:
    """End by a signal, as whoever waits should see it: a shell stops its script after an interrupt."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with suppress(OSError):
                stream.flush()
    # One core dump, that of whoever got the signal first, is enough.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    os.kill(os.getpid(), number)
    # Process 1 of a PID namespace does not die of its own signals.
    os._exit(128 + number)
