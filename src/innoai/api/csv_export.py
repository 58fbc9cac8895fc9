"""CSV as spreadsheets read it (RFC 4180, UTF-8), sent in pages while they are read from the store."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import msgspec
from litestar.response import Stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

CSV = "text/csv"
EXPORT_PAGE = 1000
"""Rows that an export reads from the store at a time."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet would take for the beginning of a formula."""


async def csv_answer(
    name: str, columns: Sequence[str], pages: AsyncIterator[Sequence[msgspec.Struct]]
) -> Stream:
    """An attachment with a row for each Struct, of these members, whose names are the first row.

    The first page is read before the answer begins: a store that is down is a refusal, not half a file.
    """
    first: Sequence[msgspec.Struct] = await anext(pages, [])

    async def content() -> AsyncIterator[str]:
        yield _lines([columns])
        yield _lines(_cells(row, columns) for row in first)
        async for page in pages:
            yield _lines(_cells(row, columns) for row in page)

    headers = {"cache-control": "no-store", "content-disposition": f'attachment; filename="{name}.csv"'}
    return Stream(content(), media_type=CSV, headers=headers)


def _lines(rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _cells(row: msgspec.Struct, columns: Sequence[str]) -> list[str]:
    members: dict[str, Any] = msgspec.to_builtins(row)
    return [_cell(members[name]) for name in columns]


def _cell(value: Any) -> str:
    """A member as in JSON, but for null, which is empty, and a text that looks like a formula."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text
