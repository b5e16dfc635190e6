# SPDX-License-Identifier: Apache-2.0
"""The gate: a small process that holds each start of a container until the agent has bound it.

It lives on when the agent dies, is restarted or upgraded, so that there is no moment in which nobody holds.
"""
