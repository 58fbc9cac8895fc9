"""Looking for a text in any case, alike in both stores: a part of a name, as people type it.

Left to the databases, SQLite knows cases of ASCII alone, and Postgres those of the locale that its database
was made with. So each letter is looked for in all the ways in which it can be written.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncConnection


def holds(connection: AsyncConnection, column: ColumnElement[Any], text: str) -> ColumnElement[bool]:
    """Whether a column holds a text in any case."""
    if connection.dialect.name == "sqlite":
        return column.bool_op("GLOB")(f"*{_pattern(text, _GLOB_SPECIAL)}*")
    return column.bool_op("~")(_pattern(text, _REGEX_SPECIAL))


_GLOB_SPECIAL = (re.compile(r"[*?\[]"), r"[\g<0>]")
_REGEX_SPECIAL = (re.compile(r"[\\.^$*+?()\[\]{}|]"), r"\\\g<0>")
"""What means something else in a pattern, and how it is written to mean itself."""


def _pattern(text: str, special: tuple[re.Pattern[str], str]) -> str:
    found, written = special
    return "".join(
        f"[{ways}]" if len(ways := _ways(character)) > 1 else found.sub(written, character)
        for character in text
    )


@lru_cache(maxsize=1024)
def _ways(character: str) -> str:
    """How a letter can be written, in one character each: `eE`, `éÉ`; of what is no letter, itself."""
    ways = {character}
    for _ in range(2):
        ways |= {other for way in ways for other in (way.lower(), way.upper(), way.casefold())}
    return "".join(sorted(way for way in ways if len(way) == 1))
