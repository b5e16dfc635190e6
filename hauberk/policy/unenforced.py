# SPDX-License-Identifier: Apache-2.0
"""What is read but not enforced by this version: presets, devices, packet filters."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from hauberk.policy.fields import (
    ActionField,
    Int32,
    Text,
    matching,
    one_of,
)
from hauberk.policy.sections import CONFIG, Element, Inherited, Rule


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Preset(Element):
    """A ready-made protection. Its action is not inherited: only `Audit` audits, all else blocks."""

    name: Text = ""
    action: ActionField | None = None
    line: int = field(default=0, init=False, compare=False)
    where: str = field(default="", init=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class DeviceRule(Rule):
    """A class of USB devices."""

    class_: Annotated[Text, Field(validation_alias="class")]
    sub_class: Int32 | None = None
    protocol: Int32 | None = None
    level: Annotated[Int32, Field(ge=1)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Device(Inherited):
    """The device section of a host policy."""

    match_device: tuple[DeviceRule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class IpBlock(Element):
    """A network."""

    cidr: Text


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Peer(Element):
    """The other side of a connection."""

    ip_block: IpBlock


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Port(Element):
    """A port, by number (as a string) or name, or a range of ports."""

    port: Text
    end_port: Annotated[Int32, Field(ge=1, le=65535)] | None = None
    protocol: Annotated[Text, one_of("TCP", "UDP", "SCTP", "tcp", "udp", "sctp")] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class TrafficRule(Element):
    """What rules for incoming and outgoing traffic have in common. Their severity has no range."""

    iface: tuple[Text, ...] = ()
    ports: tuple[Port, ...] = ()
    limit: Annotated[Text, matching(r"[0-9]+(KB|MB|GB|K|M|G)?", "an amount", "such as `500MB`")] | None = None
    duration: Text | None = None
    severity: Int32 | None = None
    tags: tuple[Text, ...] = ()
    message: Text = ""
    action: ActionField | None = None
    line: int = field(default=0, init=False, compare=False)
    where: str = field(default="", init=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class IngressRule(TrafficRule):
    """Incoming traffic."""

    from_: Annotated[tuple[Peer, ...], Field(validation_alias="from")] = ()


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class EgressRule(TrafficRule):
    """Outgoing traffic."""

    to: tuple[Peer, ...] = ()
