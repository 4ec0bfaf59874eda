"""What stands between a decision and the alias: is the evidence what the ledger has, and has a person to be asked?"""
