# SPDX-License-Identifier: Apache-2.0
"""Errors of sinks. Only setting one up can fail; trouble later is counted and told, never raised."""

from hauberk.errors import HauberkError


class SinkError(HauberkError):
    """A sink cannot be set up as asked."""
