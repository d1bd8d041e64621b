"""Where a database is: from the plain URL a person writes to the one a driver takes, and to words without password."""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from tasks.database import DatabaseError

EXAMPLES = "sqlite:////var/lib/rever-returns/ledger.sqlite or postgresql://user:password@host/database"


@dataclass(frozen=True, slots=True)
class Where:
    """A database's place. `path` is its file, None for PostgreSQL. As text it names the place without password.

    `what` is what is kept there, `variable` the setting that names it; both for the sentences of errors.
    """

    url: URL
    path: Path | None
    what: str = "ledger"
    variable: str = "REVER_LEDGER_URL"

    @classmethod
    def of(cls, url: str, *, what: str = "ledger", variable: str = "REVER_LEDGER_URL") -> "Where":
        """Read a plain URL. Raises `DatabaseError` for an invalid one, or for a database that cannot be used."""
        try:
            parsed = make_url(url)
        except ArgumentError:
            raise DatabaseError(f"the {what}'s URL cannot be read; write it like {EXAMPLES}") from None
        backend = parsed.get_backend_name()
        if backend in {"postgresql", "postgres"}:
            return cls(parsed.set(drivername="postgresql+psycopg"), None, what, variable)
        if backend != "sqlite":
            raise DatabaseError(f"the {what} cannot be kept in {backend!r}; write its URL like {EXAMPLES}")
        if parsed.database in {None, "", ":memory:"} or "mode=memory" in (parsed.database or ""):
            raise DatabaseError(f"the {what} in memory would forget all it knows; write its URL like {EXAMPLES}")
        return cls(parsed.set(drivername="sqlite+pysqlite", query={}), Path(str(parsed.database)), what, variable)

    @property
    def vacant(self) -> bool:
        """Whether there is certainly nothing: no file, or an empty one. A server must be asked."""
        return self.path is not None and not (self.path.is_file() and self.path.stat().st_size)

    def __str__(self) -> str:
        plain = self.url.set(drivername=self.url.get_backend_name())
        return plain.render_as_string(hide_password=True)
