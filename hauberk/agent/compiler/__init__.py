# SPDX-License-Identifier: Apache-2.0
"""The warm process that knows the agent's policies: it parses, chooses and compiles them, and explains.

pydantic and the compiler of automata take several times the memory that everything else does, and the agent
stays for as long as the machine runs. So they live in a process of their own, which can be ended and comes
back when it is needed. `jobs` has what is asked and answered, `client` is the agent's side.
"""
