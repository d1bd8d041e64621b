"""Prefect's server on this machine: its settings, its password, its command, and one that lasts as long as a block.

The settings are in one file, `deployments/server.env`. Knows of Prefect only the names of variables, so it imports
nothing heavy.
"""

import os
import random
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from dotenv import dotenv_values

# Free ports of 127.0.0.1, for servers that may be killed, or connected to before they listen.

LOOPBACK = "127.0.0.1"

_PORTS = range(20_000, 32_000)
"""Below the ports of outgoing connections (Linux from 32768, others from 49152). A client that connects to a port of
those where nobody listens may be given the same port as its own: it is then connected to itself, and the server cannot
start there.
"""
_TRIES = 200


def free_port(besides: Collection[int] = ()) -> int:
    """A free port of 127.0.0.1 that is not in `besides`. Raises `OSError` if none of many tries is free."""
    for port in random.sample(_PORTS, _TRIES):
        if port not in besides and is_free(port):
            return port
    raise OSError(f"none of {_TRIES} ports tried from {_PORTS.start} to {_PORTS.stop} of {LOOPBACK} is free")


def is_free(port: int) -> bool:
    """Whether a server can listen on this port."""
    try:
        with socket.create_server((LOOPBACK, port)):
            return True
    except OSError:
        return False


SERVER_ENV = Path(__file__).with_name("server.env")
"""The file with the settings of Prefect's server, and of what executes runs."""

SHARED_ENV = Path(__file__).with_name("shared.env")
"""The further settings of a server that several machines share."""

SERVER_AUTH, CLIENT_AUTH = "PREFECT_SERVER_API_AUTH_STRING", "PREFECT_API_AUTH_STRING"
"""Where Prefect's server finds the password that its API asks for, and where all who ask the API find it."""

_AUTH = re.compile(r"[\w.~-]+:[\w.~-]{16,}")
_OWN = ("REVER_", "PREFECT_")

PATIENCE_S, LOOK_EVERY_S, GRACE_S = 240.0, 0.2, 5.0
"""Seconds: a server may take to come up, between two looks whether it has, and to end after SIGTERM."""


def server_settings() -> dict[str, str]:
    """The variables of `server.env`."""
    return _variables(SERVER_ENV)


def shared_settings() -> dict[str, str]:
    """The variables of `shared.env`, which go before those of `server.env`."""
    return _variables(SHARED_ENV)


def _variables(file: Path) -> dict[str, str]:
    return {name: value for name, value in dotenv_values(file).items() if value is not None}


def prefect_variables(port: int, home: Path | None = None) -> dict[str, str]:
    """The variables of a server on this port of 127.0.0.1 and of its clients.

    Without `home`, Prefect keeps its files where it is otherwise configured to, or in its default place.
    """
    return {
        **server_settings(),
        **({} if home is None else {"PREFECT_HOME": str(home)}),
        "PREFECT_API_URL": f"http://{LOOPBACK}:{port}/api",
        # With Prefect's default every web page may read its responses.
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": f"http://{LOOPBACK}:{port},http://localhost:{port}",
        # Requests to this machine itself do not go through a proxy.
        "NO_PROXY": f"{LOOPBACK},localhost",
        "no_proxy": f"{LOOPBACK},localhost",
    }


def new_auth() -> str:
    """A new random user and password for Prefect's API, as Prefect takes them: `user:password`."""
    return f"desk:{secrets.token_urlsafe(24)}"


def kept_auth(file: Path) -> str:
    """The user and password in this file, which only its owner may read. Written first where there are none."""
    with suppress(OSError, UnicodeDecodeError):
        kept = file.read_text().strip()
        if _AUTH.fullmatch(kept):
            file.chmod(0o600)
            return kept
    # Written under another name and renamed: the file is complete or missing, and never readable by others.
    auth, aside = new_auth(), file.with_name(f"{file.name}.new")
    aside.unlink(missing_ok=True)
    aside.touch(mode=0o600, exist_ok=False)
    aside.write_text(f"{auth}\n")
    aside.replace(file)
    return auth


def without_own_settings(variables: Mapping[str, str]) -> dict[str, str]:
    """These variables without `REVER_*` and `PREFECT_*`: those of a person's own desk and Prefect."""
    return {name: value for name, value in variables.items() if not name.upper().startswith(_OWN)}


class PrefectServerError(Exception):
    """Prefect's server did not start; the text says where its log is."""


@dataclass(frozen=True, slots=True)
class PrefectServer:
    """A Prefect server, starting or running. `variables` are what its clients need, including the password."""

    process: subprocess.Popen[bytes]
    address: str
    variables: Mapping[str, str] = field(repr=False)
    log: Path

    def wait(self) -> None:
        """Return once it responds. Raises `PrefectServerError` if it does not start."""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until and self.process.poll() is None:
            with suppress(httpx.TransportError):
                if httpx.get(f"{self.address}/api/health", trust_env=False).status_code == httpx.codes.OK:
                    return
            time.sleep(LOOK_EVERY_S)
        raise PrefectServerError(f"Prefect's server did not start; its log is {self.log}")

    def stop(self) -> None:
        """End it and the processes it started."""
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
    """Start a Prefect server on 127.0.0.1 with its database in `folder`; it ends with the block.

    `port` 0 takes a free one. A database that is in `folder` already is used. The password is made at the first start
    in this folder, and is among `variables`. Starting takes Prefect some ten seconds, so share one server.
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
