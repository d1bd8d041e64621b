"""What the ledger knows of many returns, as the rules see it."""

from collections.abc import Collection

from sqlalchemy import Connection

from tasks.policy.record import Record


def load_records(conn: Connection, process_ids: Collection[str]) -> dict[str, Record]:
    """The record of each of these returns; an empty one for a return never seen. A few queries, however many ids."""
    raise NotImplementedError
