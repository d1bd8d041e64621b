"""A database's errors in one sentence: which ledger, what is wrong, how to mend it. Never a password, never values."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from tasks.database import DatabaseError
from tasks.database.address import Where

DAMAGED = "the file is damaged; restore it from a backup before anything is sent"
_FULL = "the disk is full; make room, then run again"
_SQLITE = (
    ("unable to open database file", "its file cannot be opened; check that the folder exists and may be written"),
    ("readonly database", "its file may not be written; check the permissions of the file and its folder"),
    ("database is locked", "another program has locked it for more than 30 s; end that program, then run again"),
    ("disk is full", _FULL),
    ("disk i/o error", "its disk reports an error; check the disk, then run again"),
    ("not a database", "the file is not a SQLite database; point {variable} to the {what} or to a new file"),
    ("malformed", DAMAGED),
    ("could not decode", DAMAGED),
    ("no such column", DAMAGED),
    ("no such table", DAMAGED),
)
_POSTGRES = (
    ("password authentication failed", "the server refuses the user or password; correct them in {variable}"),
    ("no password supplied", "the server asks for a password; state it in {variable}"),
    ("does not exist", "the server has no such database, user or table; create it, or correct {variable}"),
    ("permission denied", "its user may not do this; grant it the rights to create and change tables"),
    ("read-only transaction", "the server takes no writes; point {variable} to the primary server"),
    ("lock timeout", "another program has locked a row of it for more than 30 s; end that program, then run again"),
    ("no space left", "the server's disk is full; make room, then run again"),
    ("too many", "the server has no connection free; raise its limit or run fewer workers"),
)
_UNREACHABLE = "the server cannot be reached; check that it runs and that {variable} names its host and port"
_TRY_AGAIN = ("database is locked", "deadlock detected", "could not serialize", "lock timeout")


_SAVEPOINT_GONE = "no such savepoint"

_OR_FULL = {mend for words, mend in _SQLITE if words in {"unable to open database file", "disk i/o error"}}
"""What SQLite also says of a full disk, where it cannot make the files that it keeps beside the database."""

LITTLE = 64 * 1024
"""Bytes: less than SQLite needs for the files beside a database."""

FAILURES = (DBAPIError, PoolTimeout, UnicodeDecodeError)
"""What a database, or the way to it, can raise. SQLite's driver raises the last one for a damaged file, whose own error
quotes what it found there.
"""


def sentence(error: Exception, where: Where) -> DatabaseError:
    """The error that a caller gets to see."""
    if isinstance(error, PoolTimeout):
        return DatabaseError(f"the {where.what} {where} cannot be used: all connections to it are busy")
    if isinstance(error, UnicodeDecodeError):
        return _cannot(where, DAMAGED)
    error = _before_rollback(error)
    said = str(error.orig) if isinstance(error, DBAPIError) else type(error).__name__
    for words, mend in _SQLITE if where.path is not None else _POSTGRES:
        if words in said.lower():
            return _cannot(where, _FULL if mend in _OR_FULL and _no_room(where) else mend)
    if where.path is None and isinstance(error, DBAPIError) and _lost(said, error):
        return _cannot(where, _UNREACHABLE)
    # Only the first line: PostgreSQL puts values of the row into the next ones.
    return DatabaseError(f"the {where.what} {where} failed: {said.splitlines()[0] if said else type(error).__name__}")


def _no_room(where: Where) -> bool:
    try:
        return where.path is not None and shutil.disk_usage(where.path.parent).free < LITTLE
    except OSError:
        return False


def _cannot(where: Where, mend: str) -> DatabaseError:
    words = mend.format(variable=where.variable, what=where.what)
    return DatabaseError(f"the {where.what} {where} cannot be used: {words}")


def _before_rollback(error: Exception) -> Exception:
    """What went wrong first: on a full or failing disk SQLite rolls back by itself, and a savepoint is gone then."""
    found: BaseException | None = error
    while found is not None and (not isinstance(found, DBAPIError) or _SAVEPOINT_GONE in str(found.orig)):
        found = found.__context__
    return found if isinstance(found, DBAPIError) else error


def _lost(said: str, error: DBAPIError) -> bool:
    return error.connection_invalidated or "connection" in said.lower() or "resolve" in said.lower()


def damaged(where: Where) -> DatabaseError:
    """The error of a file that holds what it cannot hold."""
    return _cannot(where, DAMAGED)


def passes(error: BaseException) -> bool:
    """Whether the same work may succeed when it is simply done again: nothing of it has happened."""
    if not isinstance(error, DBAPIError):
        return False
    return any(words in str(error.orig).lower() for words in _TRY_AGAIN)


@contextmanager
def translated(where: Where) -> Iterator[None]:
    """Turn what a database raises into `DatabaseError`. A wrong statement of our own stays what it is."""
    try:
        yield
    except FAILURES as error:
        raise sentence(error, where) from None
