"""Money and signals: budgets, spending and hourly usage, the audit log, events and webhooks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "announced",
        sa.Column("name", sa.String(length=160), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "budget_holds",
        sa.Column("subject", sa.String(length=32), nullable=False),
        sa.Column("period", sa.String(length=8), nullable=False),
        sa.Column("holder", sa.String(length=32), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("subject", "period", "holder"),
    )
    op.create_index("budget_holds_by_holder", "budget_holds", ["holder"], unique=False)
    op.create_table(
        "spending",
        sa.Column("subject", sa.String(length=32), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("account_id", sa.String(length=32), nullable=False),
        sa.Column("customer_id", sa.String(length=128), nullable=True),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("prompt_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cached_tokens", sa.BigInteger(), nullable=False),
        sa.Column("completion_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subject", "month"),
    )
    op.create_index("spending_by_customer", "spending", ["account_id", "customer_id", "month"], unique=False)
    op.create_index("spending_by_month", "spending", ["account_id", "month", "customer_id"], unique=False)
    op.create_table(
        "usage_hours",
        sa.Column("account_id", sa.String(length=32), nullable=False),
        sa.Column("hour", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("customer_pk", sa.String(length=32), nullable=False),
        sa.Column("model", sa.String(length=200), nullable=False),
        sa.Column("customer_id", sa.String(length=128), nullable=True),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("prompt_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cached_tokens", sa.BigInteger(), nullable=False),
        sa.Column("completion_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=False),
        sa.Column("duration_ms", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "hour", "key_id", "customer_pk", "model"),
    )
    op.create_index(
        "usage_hours_by_customer", "usage_hours", ["account_id", "customer_pk", "hour"], unique=False
    )
    op.create_table(
        "audit_entries",
        sa.Column("account_id", sa.String(length=32), nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("actor_id", sa.String(length=64), nullable=True),
        sa.Column("key_id", sa.String(length=32), nullable=True),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("target_id", sa.String(length=160), nullable=True),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("previous_hash", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
        ),
        sa.PrimaryKeyConstraint("account_id", "sequence"),
        sa.UniqueConstraint("id"),
    )
    op.create_index("audit_by_time", "audit_entries", ["account_id", "at"], unique=False)
    op.create_index("audit_by_action", "audit_entries", ["account_id", "action", "sequence"], unique=False)
    op.create_index("audit_by_actor", "audit_entries", ["account_id", "actor_id", "sequence"], unique=False)
    op.create_index("audit_by_key", "audit_entries", ["account_id", "key_id", "sequence"], unique=False)
    op.create_index("audit_by_target", "audit_entries", ["account_id", "target_id", "sequence"], unique=False)
    op.create_table(
        "audit_heads",
        sa.Column("account_id", sa.String(length=32), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
        ),
        sa.PrimaryKeyConstraint("account_id"),
    )
    op.create_table(
        "budgets",
        sa.Column("subject", sa.String(length=32), nullable=False),
        sa.Column("period", sa.String(length=8), nullable=False),
        sa.Column("account_id", sa.String(length=32), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.CheckConstraint("period IN ('monthly', 'total')", name="budgets_period"),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
        ),
        sa.PrimaryKeyConstraint("subject", "period"),
    )
    op.create_index(op.f("ix_budgets_account_id"), "budgets", ["account_id"], unique=False)
    op.create_table(
        "events",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("account_id", sa.String(length=32), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("events_by_account", "events", ["account_id", "created_at", "id"], unique=False)
    op.create_index(op.f("ix_events_created_at"), "events", ["created_at"], unique=False)
    op.create_table(
        "webhook_endpoints",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("account_id", sa.String(length=32), nullable=False),
        sa.Column("url", sa.String(length=2048), nullable=False),
        sa.Column("event_types", sa.JSON(), nullable=False),
        sa.Column("description", sa.String(length=500), nullable=True),
        sa.Column("sealed_headers", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_secret", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_previous_secret", sa.LargeBinary(), nullable=True),
        sa.Column("previous_secret_ends_at", sa.Double(), nullable=True),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("disabled_because", sa.String(length=16), nullable=True),
        sa.Column("failing_since", sa.Double(), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("webhook_endpoints_by_account", "webhook_endpoints", ["account_id", "id"], unique=False)
    op.create_table(
        "deliveries",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("account_id", sa.String(length=32), nullable=False),
        sa.Column("endpoint_id", sa.String(length=32), nullable=False),
        sa.Column("event_id", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.Double(), nullable=True),
        sa.Column("leased_by", sa.String(length=32), nullable=True),
        sa.Column("lease_ends_at", sa.Double(), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("finished_at", sa.Double(), nullable=True),
        sa.CheckConstraint("state IN ('pending', 'succeeded', 'failed')", name="deliveries_state"),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
        ),
        sa.ForeignKeyConstraint(["endpoint_id"], ["webhook_endpoints.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["events.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("deliveries_by_account", "deliveries", ["account_id", "id"], unique=False)
    op.create_index("deliveries_by_endpoint", "deliveries", ["endpoint_id", "id"], unique=False)
    op.create_index("deliveries_due", "deliveries", ["state", "next_attempt_at"], unique=False)
    op.create_index(
        "deliveries_due_by_endpoint",
        "deliveries",
        ["endpoint_id", "state", "next_attempt_at"],
        unique=False,
    )
    op.create_index(
        "deliveries_leased",
        "deliveries",
        ["endpoint_id"],
        unique=False,
        postgresql_where=sa.text("leased_by IS NOT NULL"),
        sqlite_where=sa.text("leased_by IS NOT NULL"),
    )
    op.create_index(op.f("ix_deliveries_event_id"), "deliveries", ["event_id"], unique=False)
    op.create_table(
        "delivery_attempts",
        sa.Column("delivery_id", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("duration_ms", sa.Double(), nullable=False),
        sa.Column("request_headers", sa.JSON(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("response_headers", sa.JSON(), nullable=True),
        sa.Column("response_body", sa.Text(), nullable=True),
        sa.Column("error", sa.String(length=500), nullable=True),
        sa.ForeignKeyConstraint(["delivery_id"], ["deliveries.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("delivery_id", "number"),
    )
    op.create_index("api_keys_by_expiry", "api_keys", ["expires_at"], unique=False)
    op.add_column("accounts", sa.Column("currency", sa.String(length=3), nullable=True))
    op.add_column("accounts", sa.Column("alert_thresholds", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("customers", sa.Column("rate_limit", sa.Integer(), nullable=True))
    op.add_column("members", sa.Column("name", sa.String(length=200), nullable=True))
    op.add_column("usage_records", sa.Column("cost", sa.BigInteger(), nullable=True))
    op.add_column(
        "usage_records", sa.Column("estimated", sa.Boolean(), server_default=sa.false(), nullable=False)
    )
    op.drop_index(op.f("usage_by_account"), table_name="usage_records")
    op.create_index(
        "usage_by_account", "usage_records", ["account_id", "started_at", "request_id"], unique=False
    )
    op.create_index(
        "usage_by_customer",
        "usage_records",
        ["account_id", "customer_pk", "started_at", "request_id"],
        unique=False,
    )
    op.create_index(
        "usage_by_key", "usage_records", ["account_id", "key_id", "started_at", "request_id"], unique=False
    )
    op.create_index(
        "usage_by_model", "usage_records", ["account_id", "model", "started_at", "request_id"], unique=False
    )
    _add_up_usage()


def _add_up_usage() -> None:
    """Count the records of before, which had no cost, in the sums; see store/usage.py."""
    if op.get_bind().dialect.name == "sqlite":
        hour = "CAST(started_at / 3600 AS INTEGER)"
        month = "strftime('%Y-%m', started_at, 'unixepoch')"
    else:
        hour = "CAST(floor(started_at / 3600) AS INTEGER)"
        month = "to_char(to_timestamp(started_at) AT TIME ZONE 'UTC', 'YYYY-MM')"
    tokens = ", ".join(
        f"COALESCE(SUM({name}), 0)" for name in ("prompt_tokens", "cached_tokens", "completion_tokens")
    )
    failures = "CASE WHEN outcome = 'failed' OR outcome = 'complete' AND status >= 400 THEN 1 ELSE 0 END"
    op.execute(
        "INSERT INTO usage_hours (account_id, hour, key_id, customer_pk, model, customer_id, requests, "  # noqa: S608 - ours
        "failures, prompt_tokens, cached_tokens, completion_tokens, cost, duration_ms) "
        f"SELECT account_id, {hour}, key_id, COALESCE(customer_pk, ''), COALESCE(model, ''), "
        f"MAX(customer_id), COUNT(*), SUM({failures}), {tokens}, 0, SUM(duration_ms) "
        "FROM usage_records GROUP BY 1, 2, 3, 4, 5"
    )
    subjects = (("account_id", "NULL"), ("key_id", "NULL"), ("customer_pk", "MAX(customer_id)"))
    for subject, customer_id in subjects:
        op.execute(
            "INSERT INTO spending (subject, month, account_id, customer_id, requests, prompt_tokens, "  # noqa: S608 - ours
            "cached_tokens, completion_tokens, cost) "
            f"SELECT {subject}, {month}, MAX(account_id), {customer_id}, COUNT(*), {tokens}, 0 "
            f"FROM usage_records WHERE {subject} IS NOT NULL GROUP BY 1, 2"
        )


def downgrade() -> None:
    op.drop_index("usage_by_model", table_name="usage_records")
    op.drop_index("usage_by_key", table_name="usage_records")
    op.drop_index("usage_by_customer", table_name="usage_records")
    op.drop_index("usage_by_account", table_name="usage_records")
    op.create_index(op.f("usage_by_account"), "usage_records", ["account_id", "started_at"], unique=False)
    op.drop_column("usage_records", "estimated")
    op.drop_column("usage_records", "cost")
    op.drop_column("members", "name")
    op.drop_column("customers", "rate_limit")
    op.drop_column("accounts", "alert_thresholds")
    op.drop_column("accounts", "currency")
    op.drop_index("api_keys_by_expiry", table_name="api_keys")
    op.drop_table("delivery_attempts")
    op.drop_index(op.f("ix_deliveries_event_id"), table_name="deliveries")
    op.drop_index("deliveries_leased", table_name="deliveries")
    op.drop_index("deliveries_due_by_endpoint", table_name="deliveries")
    op.drop_index("deliveries_due", table_name="deliveries")
    op.drop_index("deliveries_by_endpoint", table_name="deliveries")
    op.drop_index("deliveries_by_account", table_name="deliveries")
    op.drop_table("deliveries")
    op.drop_index("webhook_endpoints_by_account", table_name="webhook_endpoints")
    op.drop_table("webhook_endpoints")
    op.drop_index(op.f("ix_events_created_at"), table_name="events")
    op.drop_index("events_by_account", table_name="events")
    op.drop_table("events")
    op.drop_index(op.f("ix_budgets_account_id"), table_name="budgets")
    op.drop_table("budgets")
    op.drop_table("audit_heads")
    op.drop_index("audit_by_target", table_name="audit_entries")
    op.drop_index("audit_by_key", table_name="audit_entries")
    op.drop_index("audit_by_actor", table_name="audit_entries")
    op.drop_index("audit_by_action", table_name="audit_entries")
    op.drop_index("audit_by_time", table_name="audit_entries")
    op.drop_table("audit_entries")
    op.drop_index("usage_hours_by_customer", table_name="usage_hours")
    op.drop_table("usage_hours")
    op.drop_index("spending_by_month", table_name="spending")
    op.drop_index("spending_by_customer", table_name="spending")
    op.drop_table("spending")
    op.drop_index("budget_holds_by_holder", table_name="budget_holds")
    op.drop_table("budget_holds")
    op.drop_table("announced")
