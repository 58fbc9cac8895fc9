"""Usage of whole accounts by hour and model, and who used most in a month."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_SUMMED = (
    "requests",
    "failures",
    "prompt_tokens",
    "cached_tokens",
    "completion_tokens",
    "duration_ms",
    "cost",
)


def upgrade() -> None:
    op.create_table(
        "usage_totals",
        sa.Column("account_id", sa.String(length=32), nullable=False),
        sa.Column("hour", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("model", sa.String(length=200), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("prompt_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cached_tokens", sa.BigInteger(), nullable=False),
        sa.Column("completion_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=False),
        sa.Column("duration_ms", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "hour", "model"),
    )
    sums = ", ".join(f"SUM({name})" for name in _SUMMED)
    op.execute(
        f"INSERT INTO usage_totals (account_id, hour, model, {', '.join(_SUMMED)}) "  # noqa: S608
        f"SELECT account_id, hour, model, {sums} FROM usage_hours GROUP BY account_id, hour, model"
    )
    for name, condition in (("spending_of_keys", "IS NULL"), ("spending_of_customers", "IS NOT NULL")):
        where = sa.text(f"customer_id {condition}")
        op.create_index(
            name,
            "spending",
            ["account_id", "month", "requests"],
            unique=False,
            postgresql_where=where,
            sqlite_where=where,
        )


def downgrade() -> None:
    op.drop_index("spending_of_customers", table_name="spending")
    op.drop_index("spending_of_keys", table_name="spending")
    op.drop_table("usage_totals")
