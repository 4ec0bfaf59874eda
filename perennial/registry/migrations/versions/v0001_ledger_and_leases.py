"""The ledger, to which the database lets nobody do anything but append, and the leases."""

import sqlalchemy as sa
from alembic import op

from perennial.core.errors import RegistryError

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

REFUSAL = "the ledger is append-only"
# The database's own clock: those of twenty machines differ. SQLite's is this machine's.
CLOCKS = {"postgresql": "clock_timestamp()", "sqlite": "(strftime('%Y-%m-%d %H:%M:%f000', 'now'))"}
TRIGGERS = {
    "postgresql": (
        f"""CREATE FUNCTION perennial_ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION '{REFUSAL}'; END $$""",
        """CREATE TRIGGER perennial_ledger_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON perennial_ledger
           FOR EACH STATEMENT EXECUTE FUNCTION perennial_ledger_refuse()""",
    ),
    "sqlite": (
        f"""CREATE TRIGGER perennial_ledger_no_update BEFORE UPDATE ON perennial_ledger
            BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END""",
        f"""CREATE TRIGGER perennial_ledger_no_delete BEFORE DELETE ON perennial_ledger
            BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END""",
        # INSERT OR REPLACE deletes without asking the trigger above.
        """CREATE TRIGGER perennial_ledger_no_replace BEFORE INSERT ON perennial_ledger
            WHEN EXISTS (SELECT 1 FROM perennial_ledger WHERE id = NEW.id OR intent = NEW.intent)
            BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END""",
    ),
}


def upgrade() -> None:
    """Make the tables."""
    dialect = op.get_bind().dialect.name
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "perennial_ledger",
        sa.Column("id", number, sa.Identity(always=True), primary_key=True),
        sa.Column("moment", sa.DateTime(timezone=True), nullable=False, server_default=sa.text(CLOCKS[dialect])),
        sa.Column("registry", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        # Unique: an intent ends once.
        sa.Column("intent", number, sa.ForeignKey("perennial_ledger.id"), unique=True),
        sa.Column("from_version", sa.Text),
        sa.Column("to_version", sa.Text),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("decision_digest", sa.Text),
        sa.Column("token", sa.BigInteger),
        sa.CheckConstraint("state IN ('intent', 'done', 'abandoned')", name="perennial_ledger_state"),
        sa.CheckConstraint("state <> 'intent' OR intent IS NULL", name="perennial_ledger_intent"),
        sa.CheckConstraint("state <> 'abandoned' OR intent IS NOT NULL", name="perennial_ledger_abandoned"),
        sqlite_autoincrement=True,
    )
    op.create_index("perennial_ledger_of_model", "perennial_ledger", ["registry", "model", "id"])
    op.create_table(
        "perennial_leases",
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("token", sa.BigInteger, nullable=False),
        sa.Column("expires", sa.Double, nullable=False),
    )
    for statement in TRIGGERS[dialect]:
        op.execute(statement)


def downgrade() -> None:
    """Never: raises RegistryError, for a program does not throw a ledger away."""
    raise RegistryError(
        "The ledger has no version before this one to go back to; going back would delete it.",
        remedy="If it really is to go, remove its tables (perennial_…) in the database by hand.",
    )
