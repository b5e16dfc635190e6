# SPDX-License-Identifier: Apache-2.0
"""Who runs here: a command's process, its root file system and its mounts."""
