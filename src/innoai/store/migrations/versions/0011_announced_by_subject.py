"""What was said is kept by whom it concerns, so that a change of theirs finds it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def _plain(length: int) -> sa.String:
    """Compared by bytes in Postgres, too."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    rows = op.get_bind().execute(sa.text("SELECT name, at FROM announced")).all()
    op.drop_table("announced")
    table = op.create_table(
        "announced",
        sa.Column("subject", _plain(32), nullable=False),
        sa.Column("name", _plain(64), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("subject", "name"),
    )
    op.create_index("announced_by_time", "announced", ["at"], unique=False)
    # Of before: budget/key_…/2026-11/80 and key.expiring/key_…/1796000000.
    parts = [(name.split("/", 2), at) for name, at in rows]
    op.bulk_insert(
        table,
        [{"subject": subject, "name": f"{kind}/{rest}", "at": at} for (kind, subject, rest), at in parts],
    )


def downgrade() -> None:
    rows = op.get_bind().execute(sa.text("SELECT subject, name, at FROM announced")).all()
    op.drop_table("announced")
    table = op.create_table(
        "announced",
        sa.Column("name", _plain(160), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.bulk_insert(
        table, [{"name": name.replace("/", f"/{subject}/", 1), "at": at} for subject, name, at in rows]
    )
