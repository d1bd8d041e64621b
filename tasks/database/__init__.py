"""A database of this desk: SQLite by default, PostgreSQL when shared. The ledger and the inbox stand on it."""
