"""What becomes of a candidate: moved aliases, approval, rollback, transfer, and what is done again."""
