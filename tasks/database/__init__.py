"""A database of this desk: SQLite by default, PostgreSQL when shared. The ledger and the inbox stand on it."""


class DatabaseError(Exception):
    """The database cannot be used. The text is one sentence (or two), without password and without traceback."""
