# SPDX-License-Identifier: Apache-2.0
"""What the agent is told by its file, its environment and its flags. Does without pydantic, as the agent
does."""
