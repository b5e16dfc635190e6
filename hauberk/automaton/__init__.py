# SPDX-License-Identifier: Apache-2.0
"""From path patterns to the tables that the kernel walks: pure functions over bytes, no input or output.

`patterns` says what a pattern is and, by a naive matcher, what it means. `dfa` compiles many patterns into
one minimal automaton whose states know exactly which of them match; `pack` lays automata out as the image
that the kernel reads. Nothing here knows what a rule is.

Import from the modules: who only names patterns needs no compiler in memory.
"""
