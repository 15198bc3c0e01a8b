"""Room in a page for what a node learns after its birth, and no index entry where there is no second token.

Half of all nodes are written once more, soon after their birth: within their page that writes no index anew.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SCHEMA = "identity"


def upgrade() -> None:
    op.execute("ALTER TABLE identity.node SET (fillfactor = 65)")  # of pages to come; what stands stays where it is
    op.drop_constraint("node_shared_token_key", "node", schema=SCHEMA, type_="unique")
    op.create_index(
        "node_shared_token",
        "node",
        ["shared_token"],
        unique=True,
        schema=SCHEMA,
        postgresql_where=sa.text("shared_token IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("node_shared_token", "node", schema=SCHEMA)
    op.create_unique_constraint("node_shared_token_key", "node", ["shared_token"], schema=SCHEMA)
    op.execute("ALTER TABLE identity.node RESET (fillfactor)")
