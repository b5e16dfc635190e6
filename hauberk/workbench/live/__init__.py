# SPDX-License-Identifier: Apache-2.0
"""Live tests: scenarios that say which policies, on what workload, which commands, and what must come of it,
run against the real agent on this kernel.

`reading` makes scenarios of a file, `features` says what each needs of Hauberk, `scene` sets one up and
`play` runs its steps. `docs/live-tests.md` describes the format.
"""
