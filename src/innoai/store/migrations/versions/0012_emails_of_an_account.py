"""An email is a member's once in each account, not once in the whole installation."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_COLUMNS = (
    "id, account_id, email, name, role, "
    "password_hash, invite_digest, invite_expires_at, joined_at, created_at"
)
_OF_MEMBERS = ("sessions", "passkeys", "authenticators", "recovery_codes", "identities")


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        _make_anew(sa.UniqueConstraint("email", "account_id", name="members_email"))
    else:
        op.drop_constraint("members_email_key", "members", type_="unique")
        op.create_unique_constraint("members_email", "members", ["email", "account_id"])


def downgrade() -> None:
    """Fails where an email has come to be in two accounts: who stays is not for a migration to say."""
    if op.get_bind().dialect.name == "sqlite":
        _make_anew(sa.UniqueConstraint("email"))
    else:
        op.drop_constraint("members_email", "members", type_="unique")
        op.create_unique_constraint("members_email_key", "members", ["email"])


def _make_anew(of_emails: sa.UniqueConstraint) -> None:
    """SQLite changes no constraint of a table. What refers to members goes with the old one: it is kept."""
    for table in _OF_MEMBERS:
        op.execute(f"CREATE TEMPORARY TABLE kept_{table} AS SELECT * FROM {table}")  # noqa: S608
    op.create_table(
        "new_members",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("account_id", sa.String(length=32), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("name", sa.String(length=200), nullable=True),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=True),
        sa.Column("invite_digest", sa.LargeBinary(), nullable=True),
        sa.Column("invite_expires_at", sa.Double(), nullable=True),
        sa.Column("joined_at", sa.Double(), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.CheckConstraint("role IN ('owner', 'admin', 'developer', 'viewer')", name="members_role"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"]),
        sa.PrimaryKeyConstraint("id"),
        of_emails,
        sa.UniqueConstraint("invite_digest"),
    )
    op.execute(f"INSERT INTO new_members ({_COLUMNS}) SELECT {_COLUMNS} FROM members")  # noqa: S608
    op.drop_table("members")
    op.rename_table("new_members", "members")
    op.create_index("ix_members_account_id", "members", ["account_id"], unique=False)
    for table in _OF_MEMBERS:
        op.execute(f"INSERT INTO {table} SELECT * FROM kept_{table}")  # noqa: S608
        op.execute(f"DROP TABLE kept_{table}")
