"""How the ledger's tables came to be what they are; Alembic runs these scripts when a ledger is opened."""
