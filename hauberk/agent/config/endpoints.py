# SPDX-License-Identifier: Apache-2.0
"""What values of settings look like that say where something listens."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from hauberk.agent.config.kinds import NONE, Complain, Kind, Text, written
from hauberk.policy.document import Node, Scalar


@dataclass(frozen=True, slots=True)
class Port(Kind):
    """A port of TCP, as a number or, as in KubeArmor's files, as text; `none` is 0."""

    form: str = "PORT|none"

    def read(self, node: Node, complain: Complain) -> int:
        text = node.text if isinstance(node, Scalar) else ""
        if text == NONE:
            return 0
        if text.isascii() and text.isdecimal() and len(text) <= 5 and 0 < int(text) <= 65535:
            return int(text)
        complain(node, f"must be a port, from 1 to 65535, or none, and is {written(node)}", "")
        return 0

    def text(self, value: int) -> str:
        return str(value) if value else NONE


@dataclass(frozen=True, slots=True)
class Address(Text):
    """An IP address."""

    form: str = "ADDRESS"

    def _check(self, text: str, node: Node, complain: Complain) -> None:
        try:
            ipaddress.ip_address(text)
        except ValueError:
            complain(node, f"must be an IP address, and is {written(node)}", "as 127.0.0.1, or ::1")


@dataclass(frozen=True, slots=True)
class Endpoint(Text):
    """An IP address and a port, with a colon between them; an IPv6 address is in brackets."""

    form: str = "ADDRESS:PORT|none"
    words: tuple[tuple[str, str], ...] = (("none", ""),)

    def _check(self, text: str, node: Node, complain: Complain) -> None:
        host, _, port = text.rpartition(":")
        is_bracketed = host.startswith("[") and host.endswith("]")
        try:
            found = ipaddress.ip_address(host[1:-1] if is_bracketed else host)
            right = (found.version == 6) is is_bracketed and 0 < int(port) < 1 << 16
        except ValueError:
            right = False
        if not right:
            hint = "127.0.0.1:32765 or [::1]:32765, say; or none"
            complain(node, f"must be an IP address and a port, and is {written(node)}", hint)
