"""Every test of the store that asks for one runs on SQLite and on Postgres."""

from __future__ import annotations

from tests.support.stores import (
    database,
    empty_url,
    kind,
    new_postgres,
    postgres_template,
    sqlite_template,
    url,
)

__all__ = ["database", "empty_url", "kind", "new_postgres", "postgres_template", "sqlite_template", "url"]
