"""Messages that wait to be published stand many in a row.

Table `outbox` stays for processes of the version before, and is read as long as they may write it; a later migration
drops it. They do not read parcels: until the last of them is replaced, what a new process leaves behind when it is
killed between its commit and its sending waits for the next batch of another new one.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SCHEMA = "identity"


def upgrade() -> None:
    op.create_table(
        "parcel",
        sa.Column("seq", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("messages", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        schema=SCHEMA,
    )
    op.execute("ALTER TABLE identity.parcel ALTER COLUMN messages SET STORAGE EXTERNAL")  # it lives for a moment


def downgrade() -> None:
    raise NotImplementedError("migrations go forward")
