"""Which version of a public record was acknowledged.

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SCHEMA = "profile"


def upgrade() -> None:
    """0 for all: whoever is touched next is published once more."""
    op.add_column(
        "profile", sa.Column("published_version", sa.BigInteger, nullable=False, server_default="0"), schema=SCHEMA
    )


def downgrade() -> None:
    op.drop_column("profile", "published_version", schema=SCHEMA)
