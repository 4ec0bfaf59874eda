"""What candidates were judged on, in the ledger's database: judgings, what they make of a version, and looks."""
