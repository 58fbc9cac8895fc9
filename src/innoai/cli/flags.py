"""Commands whose --help shows no value behind an option that takes none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class App(typer.Typer):
    """typer's, for groups and commands of ours."""

    def __init__(self, **options: Any) -> None:
        super().__init__(cls=_Group, **options)

    def command(self, name: str | None = None, **options: Any) -> Callable[[Any], Any]:
        """A command, as typer's."""
        return super().command(name, cls=_Command, **options)


class _Command(TyperCommand):
    def get_params(self, ctx: Any) -> list[Any]:
        return _without_values(super().get_params(ctx))


class _Group(TyperGroup):
    def get_params(self, ctx: Any) -> list[Any]:
        return _without_values(super().get_params(ctx))


def _without_values(params: Iterable[Any]) -> list[Any]:
    """The same options, the flags among them, --help too, without the `<bool>` that typer gives them."""
    found = list(params)
    for option in found:
        if isinstance(option, TyperOption) and option.is_flag:
            option.metavar = ""
    return found
