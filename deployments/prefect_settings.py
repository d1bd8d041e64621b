"""Prefect's settings for this desk, from the one file `deployments/server.env`, and the variables of its processes.

Knows of Prefect only its variables' names, so that it imports nothing heavy.
"""

import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from dotenv import dotenv_values

SERVER_ENV = Path(__file__).with_name("server.env")
"""The file with the settings of Prefect's server, and of what executes runs."""

SHARED_ENV = Path(__file__).with_name("shared.env")
"""The further settings of a server that several machines share."""

LOOPBACK = "127.0.0.1"

SERVER_AUTH, CLIENT_AUTH = "PREFECT_SERVER_API_AUTH_STRING", "PREFECT_API_AUTH_STRING"
"""Where Prefect's server finds the password that its API asks for, and where all who ask the API find it."""

_AUTH = re.compile(r"[\w.~-]+:[\w.~-]{16,}")
_OWN = ("REVER_", "PREFECT_")


def server_settings() -> dict[str, str]:
    """The variables of `server.env`."""
    return _variables(SERVER_ENV)


def shared_settings() -> dict[str, str]:
    """The variables of `shared.env`, which go before those of `server.env`."""
    return _variables(SHARED_ENV)


def _variables(file: Path) -> dict[str, str]:
    return {name: value for name, value in dotenv_values(file).items() if value is not None}


def prefect_variables(port: int, home: Path | None = None) -> dict[str, str]:
    """What a server on this port of 127.0.0.1 and its clients need: where it is, what it keeps where, and how.

    Without `home`, Prefect keeps things where it is otherwise told to, or in its own default.
    """
    return {
        **server_settings(),
        **({} if home is None else {"PREFECT_HOME": str(home)}),
        "PREFECT_API_URL": f"http://{LOOPBACK}:{port}/api",
        # Prefect's default lets every web page read what it answers.
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": f"http://{LOOPBACK}:{port},http://localhost:{port}",
        # A proxy of the machine's has nothing to do with what is on the machine.
        "NO_PROXY": f"{LOOPBACK},localhost",
        "no_proxy": f"{LOOPBACK},localhost",
    }


def new_auth() -> str:
    """A user and a password for Prefect's API that nobody knows yet, as Prefect takes them: `user:password`."""
    return f"desk:{secrets.token_urlsafe(24)}"


def kept_auth(file: Path) -> str:
    """The user and password in this file, which only its owner may read; made where there are none yet."""
    with suppress(OSError, UnicodeDecodeError):
        kept = file.read_text().strip()
        if _AUTH.fullmatch(kept):
            file.chmod(0o600)
            return kept
    # Made aside and put in place: the file is whole or not there, and was never anybody else's to read.
    auth, aside = new_auth(), file.with_name(f"{file.name}.new")
    aside.unlink(missing_ok=True)
    aside.touch(mode=0o600, exist_ok=False)
    aside.write_text(f"{auth}\n")
    aside.replace(file)
    return auth


def without_own_settings(variables: Mapping[str, str]) -> dict[str, str]:
    """These variables without those of a person's own desk and Prefect."""
    return {name: value for name, value in variables.items() if not name.upper().startswith(_OWN)}
