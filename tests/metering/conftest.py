"""What is shipped goes to SQLite and to Postgres in turn."""

from __future__ import annotations

from tests.support.stores import database, kind, new_postgres, postgres_template, sqlite_template, url

__all__ = ["database", "kind", "new_postgres", "postgres_template", "sqlite_template", "url"]
