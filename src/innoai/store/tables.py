"""The tables, in SQL that SQLite and Postgres both take.

Instants are Unix seconds as double precision. Lists are JSON. Nothing here is updated by a
request that is merely decided about.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
    true,
)

metadata = MetaData()


def _plain(length: int) -> String:
    """Ids, models, months, codes: what is sorted. Postgres compares it by its bytes, as SQLite does anyway.

    In the order of a language, as most databases of Postgres have it, ids sort neither by time nor as Python
    sorts them. What people write stays a String: it is not sorted, but searched in any case, and what the
    capitals are outside of ASCII only a language knows.
    """
    return String(length).with_variant(String(length, collation="C"), "postgresql")


accounts = Table(
    "accounts",
    metadata,
    Column("id", _plain(32), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("tier", _plain(64), nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("created_at", Double, nullable=False),
    # None: the installation's.
    Column("currency", _plain(3)),
    # Percent of a budget at which an event is sent; None: the usual ones.
    Column("alert_thresholds", JSON(none_as_null=True)),
)

members = Table(
    "members",
    metadata,
    Column("id", _plain(32), primary_key=True),
    Column("account_id", _plain(32), ForeignKey("accounts.id"), nullable=False, index=True),
    Column("email", _plain(254)),
    Column("name", String(200)),
    Column("role", _plain(16), nullable=False),
    Column("password_hash", _plain(255)),
    Column("invite_digest", LargeBinary, unique=True),
    Column("invite_expires_at", Double),
    # When the invitation was taken up; None: not yet.
    Column("joined_at", Double),
    Column("created_at", Double, nullable=False),
    CheckConstraint("role IN ('owner', 'admin', 'developer', 'viewer')", name="members_role"),
    # Within the account alone: who invites somebody must not hear whether they are a member elsewhere.
    UniqueConstraint("email", "account_id", name="members_email"),
)

# How members sign in.

sessions = Table(
    "sessions",
    metadata,
    # Of what the browser's cookie holds, under the installation's pepper.
    Column("digest", LargeBinary, primary_key=True),
    Column("id", _plain(32), nullable=False, unique=True),
    Column("member_id", _plain(32), ForeignKey("members.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("method", _plain(16), nullable=False),
    Column("address", _plain(64)),
    Column("user_agent", String(300)),
    Column("created_at", Double, nullable=False),
    Column("seen_at", Double, nullable=False),
    # When the person last proved to be who they are.
    Column("proved_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False, index=True),
)

passkeys = Table(
    "passkeys",
    metadata,
    Column("id", _plain(32), primary_key=True),
    Column("member_id", _plain(32), ForeignKey("members.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("credential_id", LargeBinary, nullable=False, unique=True),
    Column("public_key", LargeBinary, nullable=False),
    Column("sign_count", BigInteger, nullable=False),
    Column("name", String(200), nullable=False),
    Column("transports", JSON, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("last_used_at", Double),
)

authenticators = Table(
    "authenticators",
    metadata,
    # An app that shows a code which changes every half minute (RFC 6238); a member has one at most.
    Column("member_id", _plain(32), ForeignKey("members.id", ondelete="CASCADE"), primary_key=True),
    Column("sealed_secret", LargeBinary, nullable=False),
    # The half minute of the code that was taken last: none is taken twice.
    Column("last_step", BigInteger, nullable=False),
    Column("created_at", Double, nullable=False),
)

recovery_codes = Table(
    "recovery_codes",
    metadata,
    Column("member_id", _plain(32), ForeignKey("members.id", ondelete="CASCADE"), primary_key=True),
    Column("digest", LargeBinary, primary_key=True),
    Column("used_at", Double),
)

identities = Table(
    "identities",
    metadata,
    # Who a member is to an OpenID Connect provider.
    Column("issuer", _plain(255), primary_key=True),
    Column("subject", _plain(255), primary_key=True),
    Column("member_id", _plain(32), ForeignKey("members.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("created_at", Double, nullable=False),
)

ceremonies = Table(
    "ceremonies",
    metadata,
    # Of the cookie of the browser in which it was begun; one of a kind at a time.
    Column("holder", LargeBinary, primary_key=True),
    Column("kind", _plain(16), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("expires_at", Double, nullable=False, index=True),
)

customers = Table(
    "customers",
    metadata,
    Column("id", _plain(32), primary_key=True),
    Column("account_id", _plain(32), ForeignKey("accounts.id"), nullable=False),
    Column("customer_id", _plain(128), nullable=False),
    Column("name", String(200)),
    Column("metadata", JSON, nullable=False),
    # Requests a minute of all its credentials together; None: no limit beside the keys' own.
    Column("rate_limit", Integer),
    Column("disabled", Boolean, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    UniqueConstraint("account_id", "customer_id", name="customers_customer_id"),
    Index("customers_by_account", "account_id", "id"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", _plain(32), primary_key=True),
    Column("account_id", _plain(32), ForeignKey("accounts.id"), nullable=False),
    # No foreign key: a key outlives the customer that it was bound to, as a revoked row.
    Column("customer_pk", _plain(32), index=True),
    Column("customer_id", _plain(128)),
    Column("name", String(200), nullable=False),
    Column("pepper", _plain(16), nullable=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("last4", _plain(4), nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("allowed_ips", JSON, nullable=False),
    Column("rate_limit", Integer),
    Column("models", JSON(none_as_null=True)),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double),
    Column("revoked_at", Double),
    Column("last_used_at", Double),
    Column("rotated_from", _plain(32)),
    Column("rotated_to", _plain(32)),
    # Whether an owner made it, the operator, or a key of theirs: only such keys touch owners.
    Column("by_owner", Boolean, nullable=False, server_default=true()),
    Index("api_keys_by_account", "account_id", "id"),
    Index("api_keys_by_customer", "account_id", "customer_id", "id"),
    Index("api_keys_by_expiry", "expires_at"),
)

token_families = Table(
    "token_families",
    metadata,
    Column("id", _plain(32), primary_key=True),
    Column("account_id", _plain(32), ForeignKey("accounts.id"), nullable=False),
    Column("generation", Integer, nullable=False),
    Column("rotated_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False, index=True),
)

revocations = Table(
    "revocations",
    metadata,
    # The jti of one token, or the sid of a whole family.
    Column("subject", _plain(64), primary_key=True),
    Column("account_id", _plain(32), ForeignKey("accounts.id"), nullable=False),
    Column("reason", _plain(64), nullable=False),
    Column("revoked_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False, index=True),
)

signing_keys = Table(
    "signing_keys",
    metadata,
    Column("kid", _plain(32), primary_key=True),
    Column("algorithm", _plain(16), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("retires_at", Double),
)

_FOR_A_CUSTOMER = text("customer_pk IS NOT NULL")

usage_records = Table(
    "usage_records",
    metadata,
    Column("request_id", _plain(32), primary_key=True),
    Column("account_id", _plain(32), nullable=False),
    Column("key_id", _plain(32), nullable=False),
    Column("customer_pk", _plain(32)),
    Column("customer_id", _plain(128)),
    Column("route", _plain(64), nullable=False),
    Column("model", _plain(200)),
    Column("upstream", _plain(255)),
    Column("status", Integer, nullable=False),
    Column("outcome", _plain(16), nullable=False),
    Column("prompt_tokens", Integer),
    Column("cached_tokens", Integer),
    Column("completion_tokens", Integer),
    Column("started_at", Double, nullable=False),
    Column("first_byte_ms", Double),
    Column("duration_ms", Double, nullable=False),
    # In billionths of the account's currency; None where the model has no price.
    Column("cost", BigInteger),
    # Whether the cost was worked out without the upstream's word on tokens.
    Column("estimated", Boolean, nullable=False, server_default=false()),
    # Without the request id, which only orders what shares an instant: half of a record's cost are indexes.
    Index("usage_by_account", "account_id", "started_at"),
    # Most requests act for no customer, and are not looked for by it.
    Index(
        "usage_by_customer",
        "account_id",
        "customer_pk",
        "started_at",
        sqlite_where=_FOR_A_CUSTOMER,
        postgresql_where=_FOR_A_CUSTOMER,
    ),
    Index("usage_by_key", "account_id", "key_id", "started_at"),
    Index("usage_by_model", "account_id", "model", "started_at"),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("account_id", _plain(32), primary_key=True),
    Column("idempotency_key", _plain(255), primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("sealed_answer", LargeBinary, nullable=False),
    Column("created_at", Double, nullable=False, index=True),
)

changes = Table(
    "changes",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("kind", _plain(32), nullable=False),
    Column("subject", _plain(64), nullable=False),
    Column("at", Double, nullable=False, index=True),
)

feed_head = Table(
    "feed_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("sequence", Integer, nullable=False),
)

# Money. Amounts are whole billionths of the account's currency.

budgets = Table(
    "budgets",
    metadata,
    # The id of an account, a customer or a key: what the budget is for.
    Column("subject", _plain(32), primary_key=True),
    Column("period", _plain(8), primary_key=True),
    Column("account_id", _plain(32), ForeignKey("accounts.id"), nullable=False, index=True),
    Column("amount", BigInteger, nullable=False),
    Column("updated_at", Double, nullable=False),
    CheckConstraint("period IN ('monthly', 'total')", name="budgets_period"),
)

budget_holds = Table(
    "budget_holds",
    metadata,
    Column("subject", _plain(32), primary_key=True),
    # A month such as 2026-11, or total.
    Column("period", _plain(8), primary_key=True),
    # The process that may spend this without asking again.
    Column("holder", _plain(32), primary_key=True),
    Column("amount", BigInteger, nullable=False),
    Column("updated_at", Double, nullable=False),
    Index("budget_holds_by_holder", "holder"),
)

spending = Table(
    "spending",
    metadata,
    # The id of an account, a customer or a key, as in budgets.
    Column("subject", _plain(32), primary_key=True),
    Column("month", _plain(7), primary_key=True),
    Column("account_id", _plain(32), nullable=False),
    # Of a customer alone, and there for as long as the account, though the customer may be deleted.
    Column("customer_id", _plain(128)),
    Column("requests", BigInteger, nullable=False),
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("cached_tokens", BigInteger, nullable=False),
    Column("completion_tokens", BigInteger, nullable=False),
    Column("cost", BigInteger, nullable=False),
    Index("spending_by_month", "account_id", "month", "customer_id"),
    Index("spending_by_customer", "account_id", "customer_id", "month"),
    Index(
        "spending_of_keys",
        "account_id",
        "month",
        "requests",
        postgresql_where=text("customer_id IS NULL"),
        sqlite_where=text("customer_id IS NULL"),
    ),
)

usage_hours = Table(
    "usage_hours",
    metadata,
    Column("account_id", _plain(32), primary_key=True),
    # Whole hours since the epoch.
    Column("hour", Integer, primary_key=True, autoincrement=False),
    Column("key_id", _plain(32), primary_key=True),
    # Empty where there is none: a part of a primary key is never null.
    Column("customer_pk", _plain(32), primary_key=True),
    Column("model", _plain(200), primary_key=True),
    Column("customer_id", _plain(128)),
    Column("requests", BigInteger, nullable=False),
    Column("failures", BigInteger, nullable=False),
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("cached_tokens", BigInteger, nullable=False),
    Column("completion_tokens", BigInteger, nullable=False),
    Column("cost", BigInteger, nullable=False),
    Column("duration_ms", Double, nullable=False),
    Index("usage_hours_by_customer", "account_id", "customer_pk", "hour"),
)

usage_totals = Table(
    "usage_totals",
    metadata,
    # The same whatever the key and the customer: what an account as a whole is shown from.
    Column("account_id", _plain(32), primary_key=True),
    Column("hour", Integer, primary_key=True, autoincrement=False),
    Column("model", _plain(200), primary_key=True),
    Column("requests", BigInteger, nullable=False),
    Column("failures", BigInteger, nullable=False),
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("cached_tokens", BigInteger, nullable=False),
    Column("completion_tokens", BigInteger, nullable=False),
    Column("cost", BigInteger, nullable=False),
    Column("duration_ms", Double, nullable=False),
)

# What keys did.

activity_hours = Table(
    "activity_hours",
    metadata,
    Column("account_id", _plain(32), primary_key=True),
    Column("key_id", _plain(32), primary_key=True),
    # Whole hours since the epoch.
    Column("hour", Integer, primary_key=True, autoincrement=False),
    # The row of the matrix; what follows is empty where there is none.
    Column("method", _plain(8), primary_key=True),
    Column("path", _plain(80), primary_key=True),
    # Beside the route's, by whoever asked on behalf of another service.
    Column("required_scope", _plain(32), primary_key=True),
    Column("bearer", _plain(8), primary_key=True),
    # An address, a network, or other.
    Column("place", _plain(64), primary_key=True),
    Column("model", _plain(200), primary_key=True),
    # Of the refusal, or allowed.
    Column("code", _plain(32), primary_key=True),
    Column("requests", BigInteger, nullable=False),
    Column("last_at", Double, nullable=False),
    Index("activity_hours_by_hour", "hour"),
    sqlite_with_rowid=False,
)

activity_minutes = Table(
    "activity_minutes",
    metadata,
    Column("account_id", _plain(32), primary_key=True),
    Column("key_id", _plain(32), primary_key=True),
    Column("hour", Integer, primary_key=True, autoincrement=False),
    # The last minute, since the epoch, in which the key was used, and its requests so far.
    Column("minute", Integer, nullable=False),
    Column("requests", BigInteger, nullable=False),
    # Those of the busiest minute.
    Column("peak", BigInteger, nullable=False),
    Index("activity_minutes_by_hour", "hour"),
    sqlite_with_rowid=False,
)

# What is said once.

announced = Table(
    "announced",
    metadata,
    # The id of an account, a customer or a key.
    Column("subject", _plain(32), primary_key=True),
    # Such as budget/2026-11/80: whoever inserts it first says it.
    Column("name", _plain(64), primary_key=True),
    Column("at", Double, nullable=False),
    Index("announced_by_time", "at"),
)

# The audit log.

audit_entries = Table(
    "audit_entries",
    metadata,
    Column("account_id", _plain(32), ForeignKey("accounts.id"), primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("id", _plain(32), nullable=False, unique=True),
    Column("at", Double, nullable=False),
    Column("actor_id", _plain(64)),
    # The key that acted, or that the token which acted came from.
    Column("key_id", _plain(32)),
    Column("action", _plain(64), nullable=False),
    Column("target_id", _plain(160)),
    # The entry as JSON, in the very bytes that were hashed.
    Column("content", Text, nullable=False),
    Column("previous_hash", _plain(64), nullable=False),
    Column("hash", _plain(64), nullable=False),
    Index("audit_by_time", "account_id", "at"),
    Index("audit_by_action", "account_id", "action", "sequence"),
    Index("audit_by_actor", "account_id", "actor_id", "sequence"),
    Index("audit_by_key", "account_id", "key_id", "sequence"),
    Index("audit_by_target", "account_id", "target_id", "sequence"),
)

audit_heads = Table(
    "audit_heads",
    metadata,
    Column("account_id", _plain(32), ForeignKey("accounts.id"), primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("hash", _plain(64), nullable=False),
)

# Events and webhooks.

events = Table(
    "events",
    metadata,
    Column("id", _plain(32), primary_key=True),
    Column("account_id", _plain(32), ForeignKey("accounts.id"), nullable=False),
    Column("type", _plain(64), nullable=False),
    # The body in the very text that is signed and sent.
    Column("body", Text, nullable=False),
    Column("created_at", Double, nullable=False, index=True),
    Index("events_by_account", "account_id", "created_at", "id"),
)

webhook_endpoints = Table(
    "webhook_endpoints",
    metadata,
    Column("id", _plain(32), primary_key=True),
    Column("account_id", _plain(32), ForeignKey("accounts.id"), nullable=False),
    Column("url", String(2048), nullable=False),
    Column("event_types", JSON, nullable=False),
    Column("description", String(500)),
    # Headers of the tenant's own, which may hold credentials.
    Column("sealed_headers", LargeBinary, nullable=False),
    Column("sealed_secret", LargeBinary, nullable=False),
    Column("sealed_previous_secret", LargeBinary),
    Column("previous_secret_ends_at", Double),
    Column("disabled", Boolean, nullable=False),
    # Why it was disabled when nobody asked for it: gone or failing.
    Column("disabled_because", _plain(16)),
    Column("failing_since", Double),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Index("webhook_endpoints_by_account", "account_id", "id"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", _plain(32), primary_key=True),
    Column("account_id", _plain(32), ForeignKey("accounts.id"), nullable=False),
    Column("endpoint_id", _plain(32), ForeignKey("webhook_endpoints.id", ondelete="CASCADE"), nullable=False),
    Column("event_id", _plain(32), ForeignKey("events.id"), nullable=False, index=True),
    Column("state", _plain(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_attempt_at", Double),
    Column("leased_by", _plain(32)),
    Column("lease_ends_at", Double),
    Column("created_at", Double, nullable=False),
    Column("finished_at", Double),
    CheckConstraint("state IN ('pending', 'succeeded', 'failed')", name="deliveries_state"),
    Index("deliveries_due", "state", "next_attempt_at"),
    Index("deliveries_by_account", "account_id", "id"),
    Index("deliveries_by_endpoint", "endpoint_id", "id"),
    Index("deliveries_due_by_endpoint", "endpoint_id", "state", "next_attempt_at"),
    Index(
        "deliveries_leased",
        "endpoint_id",
        postgresql_where=text("leased_by IS NOT NULL"),
        sqlite_where=text("leased_by IS NOT NULL"),
    ),
)

delivery_attempts = Table(
    "delivery_attempts",
    metadata,
    Column("delivery_id", _plain(32), ForeignKey("deliveries.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", Double, nullable=False),
    Column("duration_ms", Double, nullable=False),
    Column("request_headers", JSON, nullable=False),
    Column("status", Integer),
    Column("response_headers", JSON),
    Column("response_body", Text),
    # What went wrong where there is no status.
    Column("error", String(500)),
)
