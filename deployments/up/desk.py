"""What the parts of `up` work with: ports, environment and folder, for a sandbox that it starts or for your own desk.

With `--shared` Prefect's server is on PostgreSQL with Redis, ledger and inbox are on PostgreSQL. Their addresses
come from the environment alone, since they may hold passwords: `UP_POSTGRES_URL` and `UP_REDIS_URL`.
"""

import os
import re
import secrets
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic import SecretStr

from deployments.console.errors import UsageError
from deployments.prefect_server import (
    CLIENT_AUTH,
    LOOPBACK,
    SERVER_AUTH,
    free_port,
    is_free,
    kept_auth,
    prefect_variables,
    shared_settings,
    without_own_settings,
)
from tasks.settings import read_variable

if TYPE_CHECKING:
    import psycopg

KEY = "REVER_API_KEY"
MARK = "made-by-up"
PASSWORD_FILE = "prefect-password"  # noqa: S105 - a name
"""The file, in the folder of `up`, with the user and the password of Prefect's API."""

POSTGRES, REDIS = "UP_POSTGRES_URL", "UP_REDIS_URL"
DEFAULTS = {POSTGRES: "postgresql://postgres@127.0.0.1:5432/postgres", REDIS: "redis://127.0.0.1:6379/0"}
SERVER_DATABASE, LEDGER_DATABASE = "rever_returns_up_prefect", "rever_returns_up_ledger"
DATABASE_MARK = "made by rever-returns up"
PATIENCE_S = 5


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the parts listen on 127.0.0.1."""

    prefect: int
    receiver: int
    sandbox: int


def free_ports(*, prefect: int, receiver: int, sandbox: int | None) -> Ports:
    """These ports, with a free one for each 0; `sandbox` None asks for none. Raises `UsageError`, naming all taken."""
    wanted = {"prefect": prefect, "receiver": receiver} | ({} if sandbox is None else {"sandbox": sandbox})
    if taken := [name for name, port in wanted.items() if port and not is_free(port)]:
        sentences = [
            f"port {wanted[name]} of {LOOPBACK} is taken: end what listens there, or name another with --{name}-port."
            for name in taken
        ]
        raise UsageError("\n".join(sentences))
    chosen: dict[str, int] = {}
    for name, port in wanted.items():
        chosen[name] = port or free_port(besides={*wanted.values(), *chosen.values()})
    return Ports(chosen["prefect"], chosen["receiver"], chosen.get("sandbox", 0))


@dataclass(frozen=True, slots=True)
class DeskEnvironment:
    """The environment and the working folder of every child. `receives` says whether webhooks can be checked.

    `variables` is where another terminal finds what it needs to work with this desk. `password` is the file that the
    user and password of Prefect's API were made in; None where a person has set them.
    """

    env: Mapping[str, str] = field(repr=False)
    folder: Path
    sandbox: bool
    receives: bool
    variables: Path
    password: Path | None = None

    @property
    def auth(self) -> tuple[str, str]:
        """User and password of Prefect's API."""
        user, _, password = self.env[CLIENT_AUTH].partition(":")
        return user, password


def has_key() -> bool:
    """Whether a key of REVER's is set, in the environment or in `.env`."""
    return bool(read_variable(KEY).strip())


def own_desk(ports: Ports, kept: Path, shared: "Shared | None" = None) -> DeskEnvironment:
    """The desk of the settings in force, in the working folder; `kept` is the folder of `up` itself.

    Raises `SettingsError`, `UsageError`.
    """
    from tasks.settings import load_settings

    settings = load_settings()
    receives = bool(settings.webhook_secrets)
    if shared and not settings.ledger_url.get_secret_value().startswith("postgresql"):
        raise UsageError("REVER_LEDGER_URL must name PostgreSQL where several machines share a desk (--shared).")
    auth, password = _auth(read_variable(SERVER_AUTH) or read_variable(CLIENT_AUTH), kept)
    if shared:
        shared.make_databases(anew=False)
    # What a person has set of Prefect goes before server.env; the address is that of the server started here.
    ours = prefect_variables(ports.prefect)
    here = {name: ours[name] for name in ("PREFECT_API_URL", "NO_PROXY", "no_proxy")}
    env = {**ours, **os.environ, **here, **_server(shared), **auth}
    made = DeskEnvironment(env, Path.cwd(), False, receives, kept / "desk.env", password)
    _write_variables(made, ("PREFECT_API_URL", CLIENT_AUTH, "NO_PROXY", "no_proxy"))
    return made


_FOLDERS = {
    "REVER_INSPECTIONS": "inspections",
    "REVER_RETURN_FILES": "returns",
    "REVER_LABEL_FILES": "labels-by-hand",
    "REVER_LABELS": "labels",
}
"""Setting -> the folder that it names: what flows of a desk in front of a sandbox read, and where they keep labels."""


def sandbox_desk(folder: Path, ports: Ports, shared: "Shared | None" = None) -> DeskEnvironment:
    """A desk in front of a sandbox, with all it keeps in `folder`, made anew: a new sandbox knows nothing of the last.

    Nothing of a person's own desk or Prefect reaches it, but for a password of Prefect's API. Raises `UsageError` where
    the folder is in the way.
    """
    from rever_api.sandbox.server import API_KEY, DEFAULT_SHOPS

    _anew(folder)
    if shared:
        shared.make_databases(anew=True)
    desk = {
        "REVER_BASE_URL": f"http://{LOOPBACK}:{ports.sandbox}",
        KEY: API_KEY,
        "REVER_STORES": ",".join(DEFAULT_SHOPS),
        "REVER_LEDGER_URL": shared.ledger_url() if shared else f"sqlite:///{folder / 'ledger.sqlite'}",
        "REVER_INBOX_URL": shared.ledger_url() if shared else f"sqlite:///{folder / 'inbox.sqlite'}",
        "REVER_WEBHOOK_SECRETS": secrets.token_hex(32),
        **{variable: str(folder / name) for variable, name in _FOLDERS.items()},
    }
    auth, password = _auth(os.environ.get(SERVER_AUTH, ""), folder.parent)
    prefect = {**prefect_variables(ports.prefect, folder / "prefect"), **_server(shared), **auth}
    env = {**without_own_settings(os.environ), **prefect, **desk}
    made = DeskEnvironment(env, folder, True, True, folder / "desk.env", password)
    _write_variables(made, (*desk, "PREFECT_API_URL", CLIENT_AUTH, "PREFECT_HOME", "NO_PROXY", "no_proxy"))
    return made


def _write_variables(desk: DeskEnvironment, names: Iterable[str]) -> None:
    """Write what another terminal needs, for nobody but its owner to read."""
    desk.variables.unlink(missing_ok=True)
    desk.variables.touch(mode=0o600)
    desk.variables.write_text("".join(f"{name}={quote(desk.env[name])}\n" for name in names))


def _server(shared: "Shared | None") -> dict[str, str]:
    return shared.server_variables() if shared else {}


def _auth(auth: str, kept: Path) -> tuple[dict[str, str], Path | None]:
    """The password of Prefect's API for its server and for all who ask it, and the file it was made in unless given.

    Without one, any web page that is open in a browser on this machine could start runs, and runs are code.
    """
    if auth and not re.fullmatch(r"[^:\s]+:\S+", auth):
        raise UsageError(f"{SERVER_AUTH} must be user:password, without blanks.")
    file = None if auth else kept / PASSWORD_FILE
    known = kept_auth(file) if file else auth
    return {SERVER_AUTH: known, CLIENT_AUTH: known}, file


def _anew(folder: Path) -> None:
    if folder.exists() and not (folder / MARK).exists():
        raise UsageError(f"{folder} is in the way, and was not made by `up`: move it elsewhere.")
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700)
    (folder / "prefect").mkdir(mode=0o700)
    for name in _FOLDERS.values():
        (folder / name).mkdir(mode=0o700)
    (folder / MARK).touch()


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

        Raises `UsageError` where PostgreSQL or Redis does not respond, or a database is in the way that is not ours.
        """
        import psycopg

        _check_redis(self.redis)
        try:
            with psycopg.connect(self._database(""), autocommit=True, connect_timeout=PATIENCE_S) as conn:
                for name in (SERVER_DATABASE, LEDGER_DATABASE) if anew else (SERVER_DATABASE,):
                    _make(conn, name, anew=anew)
        except psycopg.OperationalError as failed:
            raise UsageError(f"{POSTGRES}: PostgreSQL does not respond there ({type(failed).__name__}).") from None

    def _database(self, name: str, driver: str = "postgresql") -> str:
        from sqlalchemy import make_url

        url = make_url(self.postgres.get_secret_value()).set(drivername=driver)
        return (url.set(database=name) if name else url).render_as_string(hide_password=False)


def shared() -> Shared:
    """The addresses in force. Raises `UsageError` for an invalid one, or where Prefect has no part for Redis."""
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
        raise UsageError(f"{REDIS}: Redis does not respond there ({type(failed).__name__}).") from None
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
