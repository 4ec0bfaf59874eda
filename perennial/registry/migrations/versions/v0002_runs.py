"""The runs of the pipelines and how each ended, to which the database lets nobody do anything but append."""

import sqlalchemy as sa
from alembic import op

from perennial.core.errors import RegistryError

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

REFUSAL = "the record of runs is append-only"
TRIGGERS = {
    "postgresql": (
        f"""CREATE FUNCTION perennial_runs_refuse() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION '{REFUSAL}'; END $$""",
        """CREATE TRIGGER perennial_runs_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON perennial_runs
           FOR EACH STATEMENT EXECUTE FUNCTION perennial_runs_refuse()""",
    ),
    "sqlite": (
        f"""CREATE TRIGGER perennial_runs_no_update BEFORE UPDATE ON perennial_runs
            BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END""",
        f"""CREATE TRIGGER perennial_runs_no_delete BEFORE DELETE ON perennial_runs
            BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END""",
        # INSERT OR REPLACE deletes without asking the trigger above.
        """CREATE TRIGGER perennial_runs_no_replace BEFORE INSERT ON perennial_runs
            WHEN EXISTS (SELECT 1 FROM perennial_runs WHERE id = NEW.id)
            BEGIN SELECT RAISE(ABORT, 'the record of runs is append-only'); END""",
    ),
}
STATUSES = ("promoted", "held", "rejected", "observed", "skipped", "failed")


def upgrade() -> None:
    """Make the table."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    named = ", ".join(f"'{status}'" for status in STATUSES)
    op.create_table(
        "perennial_runs",
        sa.Column("id", number, sa.Identity(always=True), primary_key=True),
        sa.Column("registry", sa.Text, nullable=False),
        sa.Column("pipeline", sa.Text, nullable=False),
        sa.Column("started", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended", sa.DateTime(timezone=True), nullable=False),
        sa.Column("trigger", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("version", sa.Text),
        sa.Column("sentence", sa.Text, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.CheckConstraint(f"status IN ({named})", name="perennial_runs_status"),
        sqlite_autoincrement=True,
    )
    op.create_index("perennial_runs_of_pipeline", "perennial_runs", ["registry", "pipeline", "id"])
    for statement in TRIGGERS[op.get_bind().dialect.name]:
        op.execute(statement)


def downgrade() -> None:
    """Never: raises RegistryError, for a program does not throw a history away."""
    raise RegistryError(
        "The record of runs has no version before this one to go back to; going back would delete it.",
        remedy="If it really is to go, remove the table perennial_runs in the database by hand.",
    )
