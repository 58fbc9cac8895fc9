"""Who used most is added up by customer_id, so there is no order of rows to find it by."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_FOR_A_CUSTOMER = sa.text("customer_id IS NOT NULL")


def upgrade() -> None:
    op.drop_index("spending_of_customers", table_name="spending")


def downgrade() -> None:
    op.create_index(
        "spending_of_customers",
        "spending",
        ["account_id", "month", "requests"],
        unique=False,
        sqlite_where=_FOR_A_CUSTOMER,
        postgresql_where=_FOR_A_CUSTOMER,
    )
