# SPDX-License-Identifier: Apache-2.0
"""Groups whose commands are imported when they are called, so that nobody pays for what another needs."""

import importlib
from collections.abc import Mapping
from typing import Any

import click


class LazyGroup(click.Group):
    """A group. `modules` names, by command, the module that has the click command of that name."""

    def __init__(self, *args: Any, modules: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._modules = modules

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted((*self._modules, *super().list_commands(ctx)))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in self._modules:
            module = importlib.import_module(self._modules[cmd_name])
            # A command that shadows a builtin (`list`) has an underscore behind its name.
            command = getattr(module, cmd_name, None) or getattr(module, f"{cmd_name}_")
            assert isinstance(command, click.Command)
            return command
        return super().get_command(ctx, cmd_name)
