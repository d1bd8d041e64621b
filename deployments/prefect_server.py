"""A Prefect server with a database of its own, for as long as a block takes: for the demo and the tests.

It is a process of its own, started once for all that use it: coming up is what takes Prefect long.
"""

import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from dotenv import dotenv_values

from deployments.free_port import LOOPBACK, free_port

# Prefect's settings for this desk, from the one file `deployments/server.env`, and the variables of its processes.
#
# Knows of Prefect only its variables' names, so that it imports nothing heavy.


SERVER_ENV = Path(__file__).with_name("server.env")
"""The file with the settings of Prefect's server, and of what executes runs."""

SHARED_ENV = Path(__file__).with_name("shared.env")
"""The further settings of a server that several machines share."""

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


PATIENCE_S = 240.0
LOOK_EVERY_S = 0.2
GRACE_S = 5.0


class PrefectServerError(Exception):
    """Prefect's server did not come up; the sentence says where its log is."""


@dataclass(frozen=True, slots=True)
class PrefectServer:
    """A Prefect server that is coming up or answers. `variables` are what its clients need, its password too."""

    process: subprocess.Popen[bytes]
    address: str
    variables: Mapping[str, str] = field(repr=False)
    log: Path

    def wait(self) -> None:
        """Return once it answers. Raises `PrefectServerError` where it does not come up."""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until and self.process.poll() is None:
            with suppress(httpx.TransportError):
                if httpx.get(f"{self.address}/api/health", trust_env=False).status_code == httpx.codes.OK:
                    return
            time.sleep(LOOK_EVERY_S)
        raise PrefectServerError(f"Prefect's server did not come up; its log is {self.log}")

    def stop(self) -> None:
        """End it, and whatever it started."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(GRACE_S)


def server_command(port: int, *, ui: bool) -> list[str]:
    """The command that serves Prefect's API on this port of 127.0.0.1, and its UI where asked for."""
    prefect = [sys.executable, "-m", "deployments.prefect_process"]
    command = [*prefect, "server", "start", "--host", LOOPBACK, "--port", str(port)]
    return command if ui else [*command, "--no-ui"]


@contextmanager
def prefect_server(folder: Path, *, port: int = 0, ui: bool = False) -> Iterator[PrefectServer]:
    """Start a Prefect server on 127.0.0.1, with all it stores in `folder`; it ends with the block.

    Its password is made at its first start in this folder, and is among `variables`.

    `port` 0 takes a free one. A server that stored something in `folder` before goes on with it.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    port, auth = port or free_port(), kept_auth(folder / "password")
    variables = {**prefect_variables(port, folder), CLIENT_AUTH: auth}
    log = folder / "server.log"
    with log.open("a") as output:
        process = subprocess.Popen(  # noqa: S603 - this interpreter, and arguments of our own
            server_command(port, ui=ui),
            env={**without_own_settings(os.environ), **variables, SERVER_AUTH: auth},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    server = PrefectServer(process, f"http://{LOOPBACK}:{port}", variables, log)
    try:
        yield server
    finally:
        server.stop()
