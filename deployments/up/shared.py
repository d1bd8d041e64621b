"""What is shared by several machines: Prefect's server on PostgreSQL with Redis, ledger and inbox on PostgreSQL.

The addresses come from the environment alone, since they may hold passwords: `UP_POSTGRES_URL` and `UP_REDIS_URL`.
"""

import os
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic import SecretStr

from deployments.console.errors import UsageError
from deployments.prefect_server import shared_settings

if TYPE_CHECKING:
    import psycopg

POSTGRES, REDIS = "UP_POSTGRES_URL", "UP_REDIS_URL"
DEFAULTS = {POSTGRES: "postgresql://postgres@127.0.0.1:5432/postgres", REDIS: "redis://127.0.0.1:6379/0"}
SERVER_DATABASE, LEDGER_DATABASE = "rever_returns_up_prefect", "rever_returns_up_ledger"
DATABASE_MARK = "made by rever-returns up"
PATIENCE_S = 5


@dataclass(frozen=True, slots=True)
class Shared:
    """Where PostgreSQL and Redis are."""

    postgres: SecretStr
    redis: SecretStr

    def server_variables(self) -> dict[str, str]:
        """What Prefect's server needs to keep its things there. Holds passwords."""
        redis = self.redis.get_secret_value()
        return {
            **shared_settings(),
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": self._database(SERVER_DATABASE, driver="postgresql+asyncpg"),
            "PREFECT_REDIS_MESSAGING_URL": redis,
            "PREFECT_REDIS_WORKER_CLEANUP_QUEUE_URL": redis,
            "PREFECT_SERVER_DOCKET_URL": redis,
        }

    def ledger_url(self) -> str:
        """The ledger of a sandbox's desk. Holds a password."""
        return self._database(LEDGER_DATABASE)

    def make_databases(self, *, anew: bool) -> None:
        """Make the server's database where it is missing, and with `anew` both from nothing, for a sandbox's desk.

        Raises `UsageError` where PostgreSQL or Redis does not answer, or a database is in the way that is not ours.
        """
        import psycopg

        _check_redis(self.redis)
        try:
            with psycopg.connect(self._database(""), autocommit=True, connect_timeout=PATIENCE_S) as conn:
                for name in (SERVER_DATABASE, LEDGER_DATABASE) if anew else (SERVER_DATABASE,):
                    _make(conn, name, anew=anew)
        except psycopg.OperationalError as failed:
            raise UsageError(f"{POSTGRES}: PostgreSQL does not answer there ({type(failed).__name__}).") from None

    def _database(self, name: str, driver: str = "postgresql") -> str:
        from sqlalchemy import make_url

        url = make_url(self.postgres.get_secret_value()).set(drivername=driver)
        return (url.set(database=name) if name else url).render_as_string(hide_password=False)


def shared() -> Shared:
    """The addresses in force. Raises `UsageError` for one that is none, or where Prefect has no part for Redis."""
    if find_spec("prefect_redis") is None:
        raise UsageError("Prefect's part for Redis is not installed: pip install 'rever-returns[shared]'.")
    found = {name: os.environ.get(name) or default for name, default in DEFAULTS.items()}
    schemes = {POSTGRES: ("postgresql", "postgres"), REDIS: ("redis", "rediss")}
    for name, known in schemes.items():
        if urlsplit(found[name]).scheme not in known:
            raise UsageError(f"{name} must be an address such as {DEFAULTS[name]}.")
    return Shared(SecretStr(found[POSTGRES].replace("postgres://", "postgresql://", 1)), SecretStr(found[REDIS]))


def _check_redis(url: SecretStr) -> None:
    import redis

    client = redis.Redis.from_url(url.get_secret_value(), socket_connect_timeout=PATIENCE_S, socket_timeout=PATIENCE_S)
    try:
        client.ping()
    except redis.RedisError as failed:
        raise UsageError(f"{REDIS}: Redis does not answer there ({type(failed).__name__}).") from None
    finally:
        client.close()


def _make(conn: "psycopg.Connection", name: str, *, anew: bool) -> None:
    said = conn.execute(
        "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", [name]
    ).fetchone()
    if said and not anew:
        return
    if said and said[0] != DATABASE_MARK:
        raise UsageError(f"the database {name} is in the way, and was not made by `up`: rename it.")
    from psycopg.sql import SQL, Identifier, Literal

    for statement in ("DROP DATABASE IF EXISTS {} WITH (FORCE)", "CREATE DATABASE {}"):
        conn.execute(SQL(statement).format(Identifier(name)))
    conn.execute(SQL("COMMENT ON DATABASE {} IS {}").format(Identifier(name), Literal(DATABASE_MARK)))
