# SPDX-License-Identifier: Apache-2.0
"""`hauberk lab`: try a command in a throwaway virtual machine whose kernel has BPF LSM."""

import shlex
import sys
from pathlib import Path

import click

import hauberk.lab
from hauberk.lab import kernels

LOST = 125
"""The exit status that says it was the lab, not the command."""


def say(message: str) -> None:
    """Report on standard error, under the lab's name."""
    click.echo(f"hauberk lab: {message}", err=True)


def progress(message: str) -> None:
    """Report progress. A boot takes seconds and only somebody who watches wants to know."""
    if sys.stderr.isatty() or not message.startswith("booting"):
        say(message)


@click.group()
def lab() -> None:
    """A throwaway virtual machine with a kernel that has BPF LSM."""


@lab.command(context_settings={"allow_interspersed_args": False})
@click.option("--kernel", default=hauberk.lab.DEFAULT_SERIES, show_default=True, metavar="6.1|6.12|PATH",
              help="A series of Debian's kernels, fetched once, or the path of an image.")  # fmt: skip
@click.option(
    "--icount", is_flag=True, help="Let guest time count instructions, a nanosecond each (for benchmarks)."
)
@click.option("--memory", default="2G", show_default=True, metavar="SIZE", help="The machine's memory.")
@click.option(
    "--append", default="", metavar="ARGS", help="More arguments for the kernel, such as lsm=capability,bpf."
)
@click.option("--writable", multiple=True, metavar="DIR", type=click.Path(path_type=Path),
              help="Keep what is written below DIR. May be given several times.")  # fmt: skip
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(
    kernel: str, icount: bool, memory: str, append: str, writable: tuple[Path, ...], command: tuple[str, ...]
) -> None:
    """Run COMMAND as root in the machine and exit with its status.

    The machine sees this one's files, and everything it writes is thrown away. /run and /tmp start empty
    (/tmp only if the current directory is not below it) and the network is loopback. Status 125 with a
    message means that the machine was lost, not that the command failed.

    \b
    Examples:
      hauberk lab run -- cat /sys/kernel/security/lsm
      hauberk lab run --kernel 6.1 -- bash
      hauberk lab run --writable . -- make bench
    """
    _fetch_ahead(command)
    options = hauberk.lab.Options(
        kernel=kernel, icount=icount, memory=memory, append=append, writable=writable
    )
    try:
        status = hauberk.lab.run(command, options, progress=progress)
    except hauberk.lab.Interrupted as error:
        say(error.message)
        sys.exit(128 + error.number)
    except hauberk.lab.LostVMError as error:
        say(f"{error.message}. This was the machine, not the command {shlex.quote(command[0])}.")
        if error.console:
            say("the last of its console:")
            click.echo(error.console.rstrip("\n"), err=True)
        sys.exit(LOST)
    except hauberk.lab.LabError as error:
        say(error.message + (f"\n  {error.remedy}" if error.remedy else ""))
        sys.exit(LOST)
    sys.exit(status)


def _fetch_ahead(command: tuple[str, ...]) -> None:
    """Fetch what a command is known to need, since the machine has no network."""
    if Path(command[0]).name == "hauberk" and command[1:2] == ("test",) and "--live" in command:
        # Other commands need not wait for what this imports.
        from hauberk.workbench.live import packages

        packages.prepare(progress)


@lab.command("kernels")
def list_kernels() -> None:
    """List the kernels that are cached and the packages that could be fetched."""
    for kernel in kernels.cached_kernels():
        click.echo(f"cached     {kernel.release}  {kernel.image}")
    for package in kernels.available_packages():
        click.echo(f"available  {kernels.package_release(package)}  {package}")
