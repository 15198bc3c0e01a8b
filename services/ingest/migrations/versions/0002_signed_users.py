"""The keys with which a source signs its users, and whether its browsers' logins must be signed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SCHEMA = "ingest"


def upgrade() -> None:
    op.add_column(
        "source",
        sa.Column(
            "login_needs_token",
            sa.Boolean,
            nullable=False,
            server_default=sa.false(),
            comment="an unsigned user id of an untrusted key is then no identifier",
        ),
        schema=SCHEMA,
    )
    op.create_table(
        "user_key",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("source_id", sa.Text, nullable=False),
        sa.Column("sealed", sa.LargeBinary, comment="the key, encrypted; gone once it is revoked"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="user_key_pkey"),
        sa.ForeignKeyConstraint(["source_id"], [f"{SCHEMA}.source.id"], name="user_key_source_id_fkey"),
        sa.CheckConstraint("(sealed IS NULL) = (revoked_at IS NOT NULL)", name="user_key_live_is_sealed_check"),
        schema=SCHEMA,
    )
    op.create_index("user_key_by_source", "user_key", ["source_id"], schema=SCHEMA)


def downgrade() -> None:
    op.drop_table("user_key", schema=SCHEMA)
    op.drop_column("source", "login_needs_token", schema=SCHEMA)
