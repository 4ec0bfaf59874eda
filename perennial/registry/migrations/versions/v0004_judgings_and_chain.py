"""What each judging came to, the status that an entry gives a version, and a chain of hashes over all of it.

Entries that were written before this migration are chained by it: a change of them is noticed from then on, one that
was made before is not.
"""

import sqlalchemy as sa
from alembic import op

from perennial.core.errors import RegistryError
from perennial.registry import chain

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

CLOCKS = {"postgresql": "clock_timestamp()", "sqlite": "(strftime('%Y-%m-%d %H:%M:%f000', 'now'))"}
TABLES = {"perennial_judgings": "judgings are append-only", "perennial_ledger_chain": "the chain is append-only"}


def upgrade() -> None:
    """Add the columns and the tables, and chain what is there."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    for name in ("status", "detail"):
        op.add_column("perennial_ledger", sa.Column(name, sa.Text))
    _make_judgings(number)
    op.create_table(
        "perennial_ledger_chain",
        sa.Column("id", number, sa.Identity(always=True), primary_key=True),
        # Which of the chained tables, and the id of the row there.
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("row_id", sa.BigInteger, nullable=False),
        # Unique: of two that go on from one link, one is refused.
        sa.Column("previous", sa.Text, nullable=False, unique=True),
        sa.Column("hash", sa.Text, nullable=False, unique=True),
        sa.Column("is_of_migration", sa.Boolean, nullable=False),
        sa.UniqueConstraint("source", "row_id", name="perennial_ledger_chain_row"),
        sqlite_autoincrement=True,
    )
    for table, refusal in TABLES.items():
        for statement in _triggers(op.get_bind().dialect.name, table, refusal):
            op.execute(statement)
    chain.link_older(op.get_bind())


def _make_judgings(number: "sa.types.TypeEngine[int]") -> None:
    clock = sa.text(CLOCKS[op.get_bind().dialect.name])
    op.create_table(
        "perennial_judgings",
        sa.Column("id", number, sa.Identity(always=True), primary_key=True),
        sa.Column("moment", sa.DateTime(timezone=True), nullable=False, server_default=clock),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("registry", "model", "version", "run_id")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("package_digest", "decision_digest", "outcome")),
        sa.Column("champion_version", sa.Text),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("evidence_digest", "evidence_folder")),
        sa.Column("overrides", sa.Text),
        # The newest ledger entry then: by it the two tables have one order, whatever clocks say.
        sa.Column("after_entry", sa.BigInteger, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("perennial_judgings_of_model", "perennial_judgings", ["registry", "model", "id"])


def _triggers(dialect: str, table: str, refusal: str) -> tuple[str, ...]:
    if dialect == "postgresql":
        return (
            f"""CREATE FUNCTION {table}_refuse() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN RAISE EXCEPTION '{refusal}'; END $$""",
            f"""CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
                FOR EACH STATEMENT EXECUTE FUNCTION {table}_refuse()""",
        )
    return (
        f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} BEGIN SELECT RAISE(ABORT, '{refusal}'); END",
        f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} BEGIN SELECT RAISE(ABORT, '{refusal}'); END",
        # INSERT OR REPLACE deletes without asking the trigger above.
        f"""CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table}
            WHEN EXISTS (SELECT 1 FROM {table} WHERE id = NEW.id)
            BEGIN SELECT RAISE(ABORT, '{refusal}'); END""",  # noqa: S608 - no name is a user's
    )


def downgrade() -> None:
    """Never: raises RegistryError, for a program does not throw evidence away."""
    raise RegistryError(
        "The ledger has no version before this one to go back to; going back would delete what judgings came to.",
        remedy="If it really is to go, remove perennial_judgings and perennial_ledger_chain in the database by hand.",
    )
