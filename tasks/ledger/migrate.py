"""Bring a ledger to the newest revision, once, however many processes open it at the same time."""

from pathlib import Path
from threading import Lock

from sqlalchemy import Connection, inspect, text

from tasks.database.engines import Where
from tasks.ledger.schema import REVISION, VERSION_TABLE
from tasks.ledger.types import LedgerError, NoLedgerError

_ONE_AT_A_TIME = 7_203_665_001
"""The key of PostgreSQL's advisory lock around a migration; any number that nobody else uses."""

_IN_THIS_PROCESS = Lock()
"""Alembic keeps the migration under way in a global: two at once, even of two ledgers, write over each other."""


def revision(conn: Connection) -> str:
    """The revision of the ledger, empty where there is none yet."""
    if not inspect(conn).has_table(VERSION_TABLE):
        return ""
    return str(conn.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar() or "")  # noqa: S608 - our own name


def migrate(conn: Connection, where: Where, *, existing: bool = False) -> bool:
    """Migrate in the caller's write transaction, or make the tables where there are none yet; says whether it did.

    Raises `LedgerError` for a ledger newer than this program, and for a file that holds something else; with `existing`
    `NoLedgerError` where there is none.

    On SQLite that transaction is `BEGIN IMMEDIATE` and so the only one; on PostgreSQL an advisory lock makes it so.
    """
    if revision(conn) == REVISION:
        return False
    if conn.dialect.name == "postgresql":
        conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ONE_AT_A_TIME})
    found = revision(conn)
    if not found:
        if existing:
            raise no_ledger(where)
        check_vacant(conn, where)
    if found != REVISION:
        _upgrade(conn, where, found)
    return not found


def has_revision(conn: Connection, where: Where) -> bool:
    """Whether there is a ledger, of whatever version. Raises `LedgerError` for a file that holds something else."""
    found = bool(revision(conn))
    if not found:
        check_vacant(conn, where)
    return found


def check_revision(conn: Connection, where: Where) -> bool:
    """For reading alone: whether there is a ledger at all. Raises `LedgerError` for an older or newer one."""
    found = revision(conn)
    if found and found != REVISION:
        if found > REVISION:
            raise _newer(where, found)
        raise LedgerError(
            f"the ledger {where} is of an older version ({found}); a run with mode=act brings it up to {REVISION}"
        )
    if not found:
        check_vacant(conn, where)
    return bool(found)


def no_ledger(where: Where) -> NoLedgerError:
    """The error that says that there is no ledger, and what to look at before one is made."""
    return NoLedgerError(
        f"there is no ledger {where}. With a REVER on this machine the first run with mode=act makes it. Else check"
        " REVER_LEDGER_URL, and that its disk or server is the right one. If this"
        " account never had a ledger, make one: rever-returns ledger create --by NAME. If it is lost, restore a backup:"
        " rever-returns ledger restore"
    )


def check_vacant(conn: Connection, where: Where) -> None:
    """Refuse to make a ledger in a SQLite file that holds something else. (A server's database may be shared.)"""
    if where.path is not None and inspect(conn).get_table_names():
        raise LedgerError(
            f"the file of {where} holds something else, not a ledger; point REVER_LEDGER_URL elsewhere, or restore a"
            " backup where it was one"
        )


def _upgrade(conn: Connection, where: Where, found: str) -> None:
    # Alembic takes a tenth of a second to import, and nearly every start finds nothing to do.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found and found not in known:
        raise _newer(where, found)
    config.attributes["connection"] = conn
    with _IN_THIS_PROCESS:
        command.upgrade(config, "head")


def _newer(where: Where, found: str) -> LedgerError:
    return LedgerError(
        f"the ledger {where} was made by a newer version of rever-returns (its revision is {found}, this one knows"
        f" {REVISION}); upgrade rever-returns"
    )
