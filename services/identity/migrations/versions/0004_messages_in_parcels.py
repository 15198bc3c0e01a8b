"""Messages that wait to be published stand many in a row.

Table `outbox` stays for processes of the version before, and is read as long as they may write it; a later migration
drops it. They do not read parcels: until the last of them is replaced, what a new process leaves behind when it is
killed between its commit and its sending waits for the next batch of another new one.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tern_common.errors import Misconfigured

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
    """Raises `Misconfigured` while a parcel waits: nobody of the version before would publish it."""
    op.execute("LOCK TABLE identity.parcel IN ACCESS EXCLUSIVE MODE")  # nobody puts one between the look and the drop
    if op.get_bind().execute(sa.text("SELECT EXISTS (SELECT FROM identity.parcel)")).scalar_one():
        raise Misconfigured(
            "identity.parcel holds messages that are not published yet: let one process of identity run until it is "
            "empty, stop all of them, and go down then"
        )
    op.drop_table("parcel", schema=SCHEMA)
