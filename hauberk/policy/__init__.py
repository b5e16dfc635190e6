# SPDX-License-Identifier: Apache-2.0
"""Policies as their authors write them: reading, checking and the models of the four kinds.

What a policy means is not decided here but in `hauberk.rules`.
"""
