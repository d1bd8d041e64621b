"""Whose returns `up` is about: those of a sandbox that it starts, or those of the settings in force."""

import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dotenv import dotenv_values

from deployments.cli.errors import UsageError
from deployments.prefect_settings import LOOPBACK, prefect_variables, without_own_settings
from deployments.up.ports import Ports
from deployments.up.shared import Shared
from tasks.settings.load import ENV_FILE

KEY, AUTH = "REVER_API_KEY", "PREFECT_SERVER_API_AUTH_STRING"
MARK = "made-by-up"


@dataclass(frozen=True, slots=True)
class Desk:
    """The environment and the working folder of every child. `receives` says whether webhooks can be checked."""

    env: Mapping[str, str] = field(repr=False)
    folder: Path
    sandbox: bool
    receives: bool

    @property
    def auth(self) -> tuple[str, str] | None:
        """User and password of Prefect's API, where it asks for them."""
        user, colon, password = self.env.get("PREFECT_API_AUTH_STRING", "").partition(":")
        return (user, password) if colon else None

    @property
    def variables(self) -> Path:
        """Where another terminal finds the variables of a sandbox's desk."""
        return self.folder / "desk.env"


def has_key() -> bool:
    """Whether a key of REVER's is set, in the environment or in `.env`."""
    written = dotenv_values(ENV_FILE) if ENV_FILE.is_file() else {}
    return bool((os.environ.get(KEY) or written.get(KEY) or "").strip())


def own_desk(ports: Ports, shared: Shared | None = None) -> Desk:
    """The desk of the settings in force, in the working folder. Raises `SettingsError`, `UsageError`."""
    from tasks.settings import load_settings

    settings = load_settings()
    receives = bool(settings.webhook_secrets)
    if shared and not settings.ledger_url.get_secret_value().startswith("postgresql"):
        raise UsageError("REVER_LEDGER_URL must name PostgreSQL where several machines share a desk (--shared).")
    if shared:
        shared.make_databases(anew=False)
    # What a person has set of Prefect goes before server.env; the address is that of the server started here.
    ours = prefect_variables(ports.prefect)
    env = {**ours, **os.environ, **{name: ours[name] for name in ("PREFECT_API_URL", "NO_PROXY", "no_proxy")}}
    return Desk({**env, **_server(shared), **_auth()}, Path.cwd(), sandbox=False, receives=receives)


def sandbox_desk(folder: Path, ports: Ports, shared: Shared | None = None) -> Desk:
    """A desk in front of a sandbox, with all it keeps in `folder`, made anew: a new sandbox knows nothing of the last.

    Nothing of a person's own desk or Prefect reaches it. Raises `UsageError` where the folder is in the way.
    """
    from rever_api.sandbox.running import API_KEY, DEFAULT_SHOPS

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
    prefect = {**prefect_variables(ports.prefect, folder / "prefect"), **_server(shared), **_auth()}
    made = Desk({**without_own_settings(os.environ), **prefect, **desk}, folder, sandbox=True, receives=True)
    made.variables.touch(mode=0o600)
    needed = {**desk, **{name: prefect[name] for name in ("PREFECT_API_URL", "PREFECT_HOME", "NO_PROXY", "no_proxy")}}
    made.variables.write_text("".join(f"{name}={value}\n" for name, value in needed.items()))
    return made


def _server(shared: Shared | None) -> dict[str, str]:
    return shared.server_variables() if shared else {}


def _auth() -> dict[str, str]:
    """Prefect's basic auth: one variable, for the server and for all who ask it."""
    auth = os.environ.get(AUTH, "")
    if auth and ":" not in auth:
        raise UsageError(f"{AUTH} must be user:password.")
    return {AUTH: auth, "PREFECT_API_AUTH_STRING": auth} if auth else {}


def _anew(folder: Path) -> None:
    if folder.exists() and not (folder / MARK).exists():
        raise UsageError(f"{folder} is in the way, and was not made by `up`: move it elsewhere.")
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "prefect").mkdir(parents=True)
    (folder / MARK).touch()
