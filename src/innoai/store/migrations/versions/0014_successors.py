"""A key that was rotated knows its successor, which before was found by looking through all others."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_ID = sa.String(32).with_variant(sa.String(32, collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("rotated_to", _ID, nullable=True))
    op.execute(
        "UPDATE api_keys SET rotated_to = successor.id "
        "FROM api_keys AS successor WHERE successor.rotated_from = api_keys.id"
    )


def downgrade() -> None:
    op.drop_column("api_keys", "rotated_to")
