# SPDX-License-Identifier: Apache-2.0
"""Workloads with the same rules and the same mounts walk one table.

A table holds absolute offsets, so two images of equal content differ if they were compiled for different
places. Equal content is therefore told by what a table is made from, and before anything is compiled.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256

import msgspec

from hauberk.rules.model import RuleSet, Seen
from hauberk.workloads.homes import Home
from hauberk.workloads.mounts import Mount


def content_key(rules: RuleSet, mounts: Sequence[Mount], visible: Iterable[Seen] = ()) -> bytes:
    """What stands for a table's content: equal exactly if the table for these would be.

    Rules count with their names and lines, since alerts number them; mounts with their order, since of an
    object with several names the first few are weighed.
    """
    return sha256(msgspec.msgpack.encode((rules, tuple(mounts), sorted(set(visible))))).digest()


def key_with_homes(key: bytes, homes: Sequence[Home]) -> bytes:
    """The same for a table that these homes were added to (`tables.compile_table`)."""
    return sha256(key + msgspec.msgpack.encode(homes)).digest()
