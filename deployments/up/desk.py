"""Whose returns `up` is about: those of a sandbox that it starts, or those of the settings in force."""

import os
import re
import secrets
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote

from dotenv import dotenv_values

from deployments.console.errors import UsageError
from deployments.prefect_server import (
    CLIENT_AUTH,
    LOOPBACK,
    SERVER_AUTH,
    kept_auth,
    prefect_variables,
    without_own_settings,
)
from deployments.up.ports import Ports
from deployments.up.shared import Shared
from tasks.settings.load import ENV_FILE

KEY = "REVER_API_KEY"
MARK = "made-by-up"
PASSWORD_FILE = "prefect-password"  # noqa: S105 - a name
"""The file, in the folder of `up`, with the user and the password of Prefect's API."""


@dataclass(frozen=True, slots=True)
class Desk:
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
    written = dotenv_values(ENV_FILE) if ENV_FILE.is_file() else {}
    return bool((os.environ.get(KEY) or written.get(KEY) or "").strip())


def own_desk(ports: Ports, kept: Path, shared: Shared | None = None) -> Desk:
    """The desk of the settings in force, in the working folder; `kept` is the folder of `up` itself.

    Raises `SettingsError`, `UsageError`.
    """
    from tasks.settings import load_settings

    settings = load_settings()
    receives = bool(settings.webhook_secrets)
    if shared and not settings.ledger_url.get_secret_value().startswith("postgresql"):
        raise UsageError("REVER_LEDGER_URL must name PostgreSQL where several machines share a desk (--shared).")
    written = dotenv_values(ENV_FILE) if ENV_FILE.is_file() else {}
    said = [os.environ.get(name) or written.get(name) for name in (SERVER_AUTH, CLIENT_AUTH)]
    auth, password = _auth(said[0] or said[1] or "", kept)
    if shared:
        shared.make_databases(anew=False)
    # What a person has set of Prefect goes before server.env; the address is that of the server started here.
    ours = prefect_variables(ports.prefect)
    here = {name: ours[name] for name in ("PREFECT_API_URL", "NO_PROXY", "no_proxy")}
    env = {**ours, **os.environ, **here, **_server(shared), **auth}
    made = Desk(env, Path.cwd(), False, receives, kept / "desk.env", password)
    _write_variables(made, ("PREFECT_API_URL", CLIENT_AUTH, "NO_PROXY", "no_proxy"))
    return made


def sandbox_desk(folder: Path, ports: Ports, shared: Shared | None = None) -> Desk:
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
    }
    auth, password = _auth(os.environ.get(SERVER_AUTH, ""), folder.parent)
    prefect = {**prefect_variables(ports.prefect, folder / "prefect"), **_server(shared), **auth}
    env = {**without_own_settings(os.environ), **prefect, **desk}
    made = Desk(env, folder, True, True, folder / "desk.env", password)
    _write_variables(made, (*desk, "PREFECT_API_URL", CLIENT_AUTH, "PREFECT_HOME", "NO_PROXY", "no_proxy"))
    return made


def _write_variables(desk: Desk, names: Iterable[str]) -> None:
    """Write what another terminal needs, for nobody but its owner to read."""
    desk.variables.unlink(missing_ok=True)
    desk.variables.touch(mode=0o600)
    desk.variables.write_text("".join(f"{name}={quote(desk.env[name])}\n" for name in names))


def _server(shared: Shared | None) -> dict[str, str]:
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
    (folder / MARK).touch()
