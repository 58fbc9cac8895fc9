"""Ids and all else that is sorted are compared by bytes in Postgres, whatever the database's language."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_TEXTS = sa.text("""
    SELECT table_name, column_name, character_maximum_length FROM information_schema.columns
    WHERE table_schema = current_schema() AND data_type = 'character varying'
      AND table_name <> 'alembic_version'
      AND column_name NOT IN ('user_agent', 'url', 'description', 'error')
      AND (column_name <> 'name' OR table_name = 'announced')
    ORDER BY table_name, ordinal_position
""")


def upgrade() -> None:
    _compare_by("C")


def downgrade() -> None:
    _compare_by("default")


def _compare_by(collation: str) -> None:
    """One statement a table: it is not rewritten, and its indexes are built anew once."""
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    changes: dict[str, list[str]] = {}
    for table, column, length in connection.execute(_TEXTS):
        change = f'ALTER COLUMN "{column}" TYPE VARCHAR({length}) COLLATE "{collation}"'
        changes.setdefault(table, []).append(change)
    for table, of_table in changes.items():
        op.execute(f'ALTER TABLE "{table}" {", ".join(of_table)}')
        # What the planner knew of the columns has gone with their types.
        op.execute(f'ANALYZE "{table}"')
