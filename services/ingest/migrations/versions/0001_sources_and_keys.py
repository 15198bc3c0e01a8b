"""Sources and their write keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SCHEMA = "ingest"


def upgrade() -> None:
    op.create_table(
        "source",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="source_pkey"),
        sa.UniqueConstraint("name", name="source_name_key"),
        schema=SCHEMA,
    )
    op.create_table(
        "write_key",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("source_id", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False, comment="server or browser"),
        sa.Column("trusted", sa.Boolean, nullable=False, comment="by its kind, unless an operator says otherwise"),
        sa.Column("secret_hash", sa.LargeBinary, nullable=False, comment="SHA-256; the secret itself is not kept"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="write_key_pkey"),
        sa.ForeignKeyConstraint(["source_id"], [f"{SCHEMA}.source.id"], name="write_key_source_id_fkey"),
        schema=SCHEMA,
    )
    op.create_index("write_key_by_source", "write_key", ["source_id"], schema=SCHEMA)


def downgrade() -> None:
    op.drop_table("write_key", schema=SCHEMA)
    op.drop_table("source", schema=SCHEMA)
