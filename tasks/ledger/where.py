"""Where a ledger is: from the plain URL a person writes to the one a driver takes, and to words without password."""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from tasks.ledger.errors import LedgerError

EXAMPLES = "sqlite:////var/lib/rever-returns/ledger.sqlite or postgresql://user:password@host/database"


@dataclass(frozen=True, slots=True)
class Where:
    """A ledger's place. `path` is its file, None for PostgreSQL. As text it names the place without password."""

    url: URL
    path: Path | None

    @classmethod
    def of(cls, url: str) -> "Where":
        """Read a plain URL. Raises `LedgerError` for one that is none, or names a database that cannot be used."""
        try:
            parsed = make_url(url)
        except ArgumentError:
            raise LedgerError(f"the ledger's URL cannot be read; write it like {EXAMPLES}") from None
        backend = parsed.get_backend_name()
        if backend in {"postgresql", "postgres"}:
            return cls(parsed.set(drivername="postgresql+psycopg"), None)
        if backend != "sqlite":
            raise LedgerError(f"a ledger cannot be kept in {backend!r}; write its URL like {EXAMPLES}")
        if parsed.database in {None, "", ":memory:"} or "mode=memory" in (parsed.database or ""):
            raise LedgerError(f"a ledger in memory would forget what it paid; write its URL like {EXAMPLES}")
        return cls(parsed.set(drivername="sqlite+pysqlite", query={}), Path(str(parsed.database)))

    def __str__(self) -> str:
        plain = self.url.set(drivername=self.url.get_backend_name())
        return plain.render_as_string(hide_password=True)
