from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import String, UniqueConstraint
from sqlalchemy.dialects import postgresql

from innoai.store.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Column, Table


def sought(table: Table) -> Iterator[Column[object]]:
    """The columns of the keys and the indexes of a table."""
    yield from table.primary_key.columns
    for index in table.indexes:
        yield from index.columns
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint):
            yield from constraint.columns


def test_every_text_that_is_in_a_key_or_an_index_is_sorted_by_its_bytes() -> None:
    dialect = postgresql.dialect()
    columns = [column for table in metadata.tables.values() for column in sought(table)]
    types = {str(column): column.type.dialect_impl(dialect) for column in columns}
    texts = {name: type_.collation for name, type_ in types.items() if isinstance(type_, String)}
    assert texts
    assert {name for name, collation in texts.items() if collation != "C"} == set()
