"""Commands on what happens to live traffic."""
