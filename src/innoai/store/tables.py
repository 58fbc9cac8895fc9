"""The tables, in SQL that SQLite and Postgres both take.

Instants are Unix seconds as double precision. Lists are JSON. Nothing here is updated by a
request that is merely decided about.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
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
    UniqueConstraint,
)

metadata = MetaData()

accounts = Table(
    "accounts",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("tier", String(64), nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("created_at", Double, nullable=False),
)

members = Table(
    "members",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("account_id", String(32), ForeignKey("accounts.id"), nullable=False, index=True),
    Column("email", String(254), unique=True),
    Column("role", String(16), nullable=False),
    Column("password_hash", String(255)),
    Column("invite_digest", LargeBinary, unique=True),
    Column("invite_expires_at", Double),
    Column("created_at", Double, nullable=False),
    CheckConstraint("role IN ('owner', 'admin', 'developer', 'viewer')", name="members_role"),
)

customers = Table(
    "customers",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("account_id", String(32), ForeignKey("accounts.id"), nullable=False),
    Column("customer_id", String(128), nullable=False),
    Column("name", String(200)),
    Column("metadata", JSON, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    UniqueConstraint("account_id", "customer_id", name="customers_customer_id"),
    Index("customers_by_account", "account_id", "id"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("account_id", String(32), ForeignKey("accounts.id"), nullable=False),
    # No foreign key: a key outlives the customer that it was bound to, as a revoked row.
    Column("customer_pk", String(32), index=True),
    Column("customer_id", String(128)),
    Column("name", String(200), nullable=False),
    Column("pepper", String(16), nullable=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("last4", String(4), nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("allowed_ips", JSON, nullable=False),
    Column("rate_limit", Integer),
    Column("models", JSON(none_as_null=True)),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double),
    Column("revoked_at", Double),
    Column("last_used_at", Double),
    Column("rotated_from", String(32)),
    Index("api_keys_by_account", "account_id", "id"),
)

token_families = Table(
    "token_families",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("account_id", String(32), ForeignKey("accounts.id"), nullable=False),
    Column("generation", Integer, nullable=False),
    Column("rotated_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False, index=True),
)

revocations = Table(
    "revocations",
    metadata,
    # The jti of one token, or the sid of a whole family.
    Column("subject", String(64), primary_key=True),
    Column("account_id", String(32), ForeignKey("accounts.id"), nullable=False),
    Column("reason", String(64), nullable=False),
    Column("revoked_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False, index=True),
)

signing_keys = Table(
    "signing_keys",
    metadata,
    Column("kid", String(32), primary_key=True),
    Column("algorithm", String(16), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("retires_at", Double),
)

usage_records = Table(
    "usage_records",
    metadata,
    Column("request_id", String(32), primary_key=True),
    Column("account_id", String(32), nullable=False),
    Column("key_id", String(32), nullable=False),
    Column("customer_pk", String(32)),
    Column("customer_id", String(128)),
    Column("route", String(64), nullable=False),
    Column("model", String(200)),
    Column("upstream", String(255)),
    Column("status", Integer, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("prompt_tokens", Integer),
    Column("cached_tokens", Integer),
    Column("completion_tokens", Integer),
    Column("started_at", Double, nullable=False),
    Column("first_byte_ms", Double),
    Column("duration_ms", Double, nullable=False),
    Index("usage_by_account", "account_id", "started_at"),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("account_id", String(32), primary_key=True),
    Column("idempotency_key", String(255), primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("sealed_answer", LargeBinary, nullable=False),
    Column("created_at", Double, nullable=False, index=True),
)

changes = Table(
    "changes",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(32), nullable=False),
    Column("subject", String(64), nullable=False),
    Column("at", Double, nullable=False, index=True),
)

feed_head = Table(
    "feed_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("sequence", Integer, nullable=False),
)
