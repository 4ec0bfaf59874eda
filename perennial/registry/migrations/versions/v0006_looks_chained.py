"""Looks become part of the chain of hashes, with the rows that were looked at: a budget is not won back by a deletion.

Looks that were written before this migration are chained by it.
"""

import sqlalchemy as sa
from alembic import op

from perennial.registry import chain

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, and chain what is there."""
    op.add_column("perennial_looks", sa.Column("sketch_digest", sa.Text))
    chain.link_older_looks(op.get_bind())
