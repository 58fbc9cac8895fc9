"""What keys did: sums by hour, and the busiest minutes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "activity_hours",
        sa.Column("account_id", sa.String(length=32), nullable=False),
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("hour", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("method", sa.String(length=8), nullable=False),
        sa.Column("path", sa.String(length=80), nullable=False),
        sa.Column("required_scope", sa.String(length=32), nullable=False),
        sa.Column("bearer", sa.String(length=8), nullable=False),
        sa.Column("place", sa.String(length=64), nullable=False),
        sa.Column("model", sa.String(length=200), nullable=False),
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint(
            "account_id",
            "key_id",
            "hour",
            "method",
            "path",
            "required_scope",
            "bearer",
            "place",
            "model",
            "code",
        ),
        sqlite_with_rowid=False,
    )
    op.create_index("activity_hours_by_hour", "activity_hours", ["hour"], unique=False)
    op.create_table(
        "activity_minutes",
        sa.Column("account_id", sa.String(length=32), nullable=False),
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("hour", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("minute", sa.Integer(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("peak", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "key_id", "hour"),
        sqlite_with_rowid=False,
    )
    op.create_index("activity_minutes_by_hour", "activity_minutes", ["hour"], unique=False)


def downgrade() -> None:
    op.drop_index("activity_minutes_by_hour", table_name="activity_minutes")
    op.drop_table("activity_minutes")
    op.drop_index("activity_hours_by_hour", table_name="activity_hours")
    op.drop_table("activity_hours")
