# SPDX-License-Identifier: Apache-2.0
"""Attacks that still succeed, or are not alerted as they should be, and what is missing.

Strict: an attack that is refused by now has to leave this list, and docs/threat-model.md with it.
"""

PENDING: dict[str, str] = {
    "bind-over": "mounts over what a Block names are not guarded",
    "link-into-place": "a symbolic link in the place of a directory that a Block names below is not guarded",
    "overlay-layer": "the layers of an overlay have no names in the workload",
}
