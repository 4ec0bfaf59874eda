"""Who this ledger is, and what mark it left in registries: a second ledger, or an older one of the two, is noticed."""

import sqlalchemy as sa
from alembic import op

from perennial.core.errors import RegistryError

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, the first with its one row."""
    from uuid import uuid4

    table = op.create_table("perennial_ledger_identity", sa.Column("id", sa.Text, primary_key=True))
    op.bulk_insert(table, [{"id": uuid4().hex}])
    op.create_table(
        "perennial_ledger_marks",
        sa.Column("registry", sa.Text, primary_key=True),
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("token", sa.BigInteger, nullable=False),
        sa.Column("is_left", sa.Boolean, nullable=False),
    )


def downgrade() -> None:
    """Never: raises RegistryError, for registries know the ledger by it."""
    raise RegistryError(
        "The ledger has no version before this one to go back to; registries know it by its identity.",
        remedy="If it really is to go, remove perennial_ledger_identity and perennial_ledger_marks by hand.",
    )
