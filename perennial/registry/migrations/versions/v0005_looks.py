"""The looks at test rows, to which the database lets nobody do anything but append, and which rows were looked at."""

import sqlalchemy as sa
from alembic import op

from perennial.core.errors import RegistryError

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

REFUSAL = "the record of looks is append-only"
CLOCKS = {"postgresql": "clock_timestamp()", "sqlite": "(strftime('%Y-%m-%d %H:%M:%f000', 'now'))"}
TRIGGERS = {
    "postgresql": (
        f"""CREATE FUNCTION perennial_looks_refuse() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION '{REFUSAL}'; END $$""",
        """CREATE TRIGGER perennial_looks_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON perennial_looks
           FOR EACH STATEMENT EXECUTE FUNCTION perennial_looks_refuse()""",
    ),
    "sqlite": (
        f"""CREATE TRIGGER perennial_looks_no_update BEFORE UPDATE ON perennial_looks
            BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END""",
        f"""CREATE TRIGGER perennial_looks_no_delete BEFORE DELETE ON perennial_looks
            BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END""",
        # INSERT OR REPLACE deletes without asking the trigger above.
        """CREATE TRIGGER perennial_looks_no_replace BEFORE INSERT ON perennial_looks
            WHEN EXISTS (SELECT 1 FROM perennial_looks WHERE id = NEW.id
                         OR (registry = NEW.registry AND model = NEW.model AND compared = NEW.compared))
            BEGIN SELECT RAISE(ABORT, 'the record of looks is append-only'); END""",
    ),
}


def upgrade() -> None:
    """Make the tables."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    dialect = op.get_bind().dialect.name
    op.create_table(
        "perennial_looks",
        sa.Column("id", number, sa.Identity(always=True), primary_key=True),
        sa.Column("moment", sa.DateTime(timezone=True), nullable=False, server_default=sa.text(CLOCKS[dialect])),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("registry", "model", "compared", "package")),
        sa.Column("champion_version", sa.Text, nullable=False),
        sa.Column("anchor_version", sa.Text),
        sa.Column("metric", sa.Text),
        sa.Column("beside_champion", sa.Double),
        sa.Column("beside_anchor", sa.Double),
        sa.Column("number", sa.BigInteger, nullable=False),
        # What it may err with, and what of the budget is spent after it; null: no budget was kept.
        sa.Column("budget", sa.Double),
        sa.Column("level", sa.Double),
        sa.Column("spent", sa.Double, nullable=False),
        sa.Column("texts", sa.BigInteger, nullable=False),
        sa.Column("fresh", sa.BigInteger, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        # The same comparison again is the same look.
        sa.UniqueConstraint("registry", "model", "compared", name="perennial_looks_once"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "perennial_test_rows",
        sa.Column("registry", sa.Text, primary_key=True),
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("sketch", sa.Text, nullable=False),
    )
    for statement in TRIGGERS[dialect]:
        op.execute(statement)


def downgrade() -> None:
    """Never: raises RegistryError, for what was spent would be forgotten."""
    raise RegistryError(
        "The record of looks has no version before this one to go back to; going back would delete it.",
        remedy="If it really is to go, remove perennial_looks and perennial_test_rows in the database by hand.",
    )
