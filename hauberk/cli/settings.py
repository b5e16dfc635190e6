# SPDX-License-Identifier: Apache-2.0
"""The agent's settings as options of a command, made from the table of settings."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from typing import Any

import click

from hauberk.agent.config.kinds import Boolean
from hauberk.agent.config.load import DEFAULT_FILE, Loaded, load
from hauberk.agent.config.table import SETTINGS, Setting


def settings_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command `--config FILE` and an option for every setting.

    It is called with `reread`, a function without arguments that returns the settings as they are now
    (`Loaded`), and raises SettingsError. KubeArmor's spelling with one dash is understood as well, and a
    truth value without a value is true.
    """

    @wraps(command)
    def with_settings(config: Path | None, **rest: Any) -> None:
        given = {setting.key: rest.pop(setting.key) for setting in SETTINGS}
        flags = {key: text for key, text in given.items() if text is not None}

        def reread() -> Loaded:
            return load(config, flags=flags)

        command(reread=reread, **rest)

    wrapped: Callable[..., None] = with_settings
    for setting in reversed(SETTINGS):
        wrapped = _option(setting)(wrapped)
    return click.option(
        "--config",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help=f"Read settings from FILE, and not from {DEFAULT_FILE}.",
    )(wrapped)


def _option(setting: Setting) -> Callable[[Callable[..., None]], Callable[..., None]]:
    option = partial(
        click.option,
        *(setting.flag, setting.flag[1:], setting.key),
        cls=_Option,
        metavar=setting.kind.form,
        help=f"{setting.meaning}.  [default: {setting.default}]",
    )
    return option(is_flag=False, flag_value="true") if isinstance(setting.kind, Boolean) else option()


class _Option(click.Option):
    """An option whose help is silent about the spelling with one dash."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        names, text = super().get_help_record(ctx) or ("", "")
        return names.partition(", ")[2], text
