# SPDX-License-Identifier: Apache-2.0
"""The `hauberk` command. Each command lives in a file of its own and is imported when it is called.

So `hauberk version` does not pay for pydantic, and `hauberk lab` works where the kernel's door is shut.
"""

import os
import signal
import sys
import traceback
from contextlib import suppress
from typing import NoReturn

import click

from hauberk import __version__
from hauberk.cli.ending import FAILED, die_by, say
from hauberk.cli.lazy import LazyGroup
from hauberk.errors import HauberkError
from hauberk.kernel.signals import Interruption

COMMANDS = {
    name: f"hauberk.cli.{name}"
    for name in (
        "adopt",
        "agent",
        "certificates",
        "completion",
        "explain",
        "lab",
        "logs",
        "policy",
        "posture",
        "probe",
        "report",
        "run",
        "status",
        "test",
        "top",
        "visibility",
    )
}
"""Commands, and the module of each."""

DEBUG = "HAUBERK_DEBUG"
"""Set in the environment, errors are told with where they happened."""


@click.group(cls=LazyGroup, modules=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
def hauberk() -> None:
    """Make the kernel refuse what a policy forbids.

    \b
    Examples:
      hauberk probe                                    what this machine can enforce
      hauberk policy check policies/                   what is wrong with policies
      hauberk run -p policy.yaml -l app=web -- CMD     a command under a policy
      hauberk adopt --alerts alerts.jsonl              a run whose Hauberk was killed
      hauberk agent --print-config                     how this node's agent is set up
      hauberk policy apply -f policies/                put policies in force on this node
      hauberk status                                   this node's workloads, and how they stand
      hauberk explain --workload web --exec /bin/sh    which rule decides, and why
      hauberk logs --since 1h                          what was refused on this node
      hauberk certificates                             what gRPC needs for TLS
      hauberk lab run -- hauberk run -p ... -- CMD     the same in a throwaway machine
      eval "$(hauberk completion bash)"                completion for this shell

    Colours are used on terminals only, and not if NO_COLOR is set. HAUBERK_DEBUG=1 tells where an error
    happened.
    """


@hauberk.command()
def version() -> None:
    """Print the version.

    \b
    Example:
      hauberk version
    """
    click.echo(f"hauberk {__version__}")


def main() -> NoReturn:
    """The entry point. Whatever goes wrong is told in words and ends in a status; no traceback gets out."""
    try:
        _occupy_standard_streams()
        # Colours where the stream is a terminal, which click finds out if it is told nothing.
        color = False if os.environ.get("NO_COLOR") else None
        status = hauberk.main(prog_name="hauberk", standalone_mode=False, color=color)
        sys.exit(status if isinstance(status, int) else 0)
    except click.ClickException as error:
        with suppress(OSError):
            error.show()
        context = getattr(error, "ctx", None)
        is_run = context is not None and context.command_path == "hauberk run"
        sys.exit(FAILED if is_run else error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        die_by(signal.SIGINT)
    except Interruption as interruption:
        die_by(interruption.number)
    except HauberkError as error:
        _debug()
        say(error)
        sys.exit(FAILED)
    except OSError as error:
        _debug()
        what = f"{error.filename}: " if error.filename else ""
        say(HauberkError(f"{what}{error.strerror or error}", f"{DEBUG}=1 in the environment tells more"))
        sys.exit(FAILED)
    except Exception as error:
        _debug()
        said = traceback.format_exception_only(error)[-1].strip()
        say(HauberkError(f"a defect in Hauberk: {said}", f"{DEBUG}=1 in the environment tells more"))
        sys.exit(FAILED)


def _debug() -> None:
    if os.environ.get(DEBUG):
        traceback.print_exc()


def _occupy_standard_streams() -> None:
    """Make sure that nothing else is opened where a standard stream was closed; a command sees it closed."""
    fd = os.open(os.devnull, os.O_RDWR)
    while fd <= 2:
        fd = os.open(os.devnull, os.O_RDWR)
    os.close(fd)
