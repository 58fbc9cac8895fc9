"""The keys of a customer are found without reading those of the whole account."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("api_keys_by_customer", "api_keys", ["account_id", "customer_id", "id"], unique=False)


def downgrade() -> None:
    op.drop_index("api_keys_by_customer", table_name="api_keys")
