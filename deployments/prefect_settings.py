"""Prefect's settings for this desk, from the one file `deployments/server.env`, and the variables of its processes.

Knows of Prefect only its variables' names, so that it imports nothing heavy.
"""

from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values

SERVER_ENV = Path(__file__).with_name("server.env")
"""The file with the settings of Prefect's server, and of what executes runs."""

SHARED_ENV = Path(__file__).with_name("shared.env")
"""The further settings of a server that several machines share."""

LOOPBACK = "127.0.0.1"

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
        # A proxy of the machine's has nothing to do with what is on the machine.
        "NO_PROXY": f"{LOOPBACK},localhost",
        "no_proxy": f"{LOOPBACK},localhost",
    }


def without_own_settings(variables: Mapping[str, str]) -> dict[str, str]:
    """These variables without those of a person's own desk and Prefect."""
    return {name: value for name, value in variables.items() if not name.upper().startswith(_OWN)}
