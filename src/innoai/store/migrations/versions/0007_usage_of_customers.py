"""The index of usage by customer leaves out the requests that act for none."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_COLUMNS = ["account_id", "customer_pk", "started_at", "request_id"]
_FOR_A_CUSTOMER = sa.text("customer_pk IS NOT NULL")


def upgrade() -> None:
    op.drop_index("usage_by_customer", table_name="usage_records")
    op.create_index(
        "usage_by_customer",
        "usage_records",
        _COLUMNS,
        unique=False,
        sqlite_where=_FOR_A_CUSTOMER,
        postgresql_where=_FOR_A_CUSTOMER,
    )


def downgrade() -> None:
    op.drop_index("usage_by_customer", table_name="usage_records")
    op.create_index("usage_by_customer", "usage_records", _COLUMNS, unique=False)
