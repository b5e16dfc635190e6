# SPDX-License-Identifier: Apache-2.0
"""`hauberk certificates`: what TLS needs, for the agent and its clients."""

from pathlib import Path

import click

from hauberk.agent.config.settings import Settings


@click.command()
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=Settings().tls_directory,
    show_default=True,
    metavar="DIR",
    help="Where the certificates are made; `tlsCertPath` of the agent.",
)
@click.option(
    "--name",
    "names",
    multiple=True,
    metavar="NAME|ADDRESS",
    help="A name or IP address by which clients reach this node, besides this machine's name, localhost and "
    "loopback. Again for more.",
)
@click.option(
    "--days",
    type=click.IntRange(1, 3650),
    default=365,
    show_default=True,
    help="How long server's and client's certificates hold; the CA's holds for ten years.",
)
@click.option("--renew", is_flag=True, help="Make new ones with the CA that is there.")
def certificates(directory: Path, names: tuple[str, ...], days: int, renew: bool) -> None:
    """Make a CA, and certificates of it for the agent's gRPC server and for its clients.

    With `tlsEnabled: true` the agent serves gRPC to those who have a certificate of this CA, and to nobody
    else. Clients take ca.crt, client.crt and client.key with them, under these names, as karmor expects them.
    Whoever has client.key can change policies, and ca.key makes more of them.

    Nothing that is there is replaced, unless --renew is given; the CA stays then too.

    \b
    Examples:
      hauberk certificates --name node-7.example.org
      hauberk certificates --renew
    """
    # It takes time to import, which nobody who only wants help need wait for.
    from hauberk.agent.config.certificates import make

    for path in make(directory, names, days, renew=renew):
        click.echo(path)
