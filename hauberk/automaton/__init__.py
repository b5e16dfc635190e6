# SPDX-License-Identifier: Apache-2.0
"""From path patterns to the tables that the kernel walks: pure functions over bytes, no input or output.

`patterns` says what a pattern is and, by a naive matcher, what it means. `dfa` compiles many patterns into
one minimal automaton whose states know exactly which of them match; `pack` lays automata out as the image
that the kernel reads. Nothing here knows what a rule is.
"""

from hauberk.automaton.dfa import Automaton, PatternCost, StateLimitError, compile_patterns
from hauberk.automaton.errors import AutomatonError, PatternError
from hauberk.automaton.pack import TableBuilder
from hauberk.automaton.patterns import Directory, Exact, Glob, Name, Pattern, matches

__all__ = [
    "Automaton",
    "AutomatonError",
    "Directory",
    "Exact",
    "Glob",
    "Name",
    "Pattern",
    "PatternCost",
    "PatternError",
    "StateLimitError",
    "TableBuilder",
    "compile_patterns",
    "matches",
]
