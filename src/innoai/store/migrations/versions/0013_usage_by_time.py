"""The indexes of usage leave out the request id: it only orders what began at the very same instant."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_FOR_A_CUSTOMER = sa.text("customer_pk IS NOT NULL")
_INDEXES = {
    "usage_by_account": ["account_id"],
    "usage_by_customer": ["account_id", "customer_pk"],
    "usage_by_key": ["account_id", "key_id"],
    "usage_by_model": ["account_id", "model"],
}


def upgrade() -> None:
    _make_anew(["started_at"])


def downgrade() -> None:
    _make_anew(["started_at", "request_id"])


def _make_anew(ending: list[str]) -> None:
    for name, columns in _INDEXES.items():
        where = _FOR_A_CUSTOMER if name == "usage_by_customer" else None
        op.drop_index(name, table_name="usage_records")
        op.create_index(
            name, "usage_records", columns + ending, unique=False, sqlite_where=where, postgresql_where=where
        )
