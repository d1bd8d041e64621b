"""A Redis and a PostgreSQL of the test's own, from what is installed on the machine."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import redis

from deployments.prefect_server import free_port

PATIENCE_S = 30.0


class NotInstalledError(Exception):
    """A server is not on the machine; the sentence says what to install."""


@contextmanager
def running_redis(folder: Path) -> Iterator[str]:
    """The URL of a Redis on a free port of 127.0.0.1, which keeps nothing. Raises `NotInstalledError`."""
    program = shutil.which("redis-server")
    if program is None:
        raise NotInstalledError("install Redis (Debian: apt-get install redis-server)")
    port = free_port()
    command = [program, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
    with (folder / "redis.log").open("w") as log:
        process = subprocess.Popen([*command, "--dir", str(folder)], stdout=log, stderr=log)
    try:
        _wait_for(port)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def _wait_for(port: int) -> None:
    until = time.monotonic() + PATIENCE_S
    with redis.Redis(port=port) as client:
        while True:
            try:
                client.ping()
            except redis.ConnectionError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)
            else:
                return


@contextmanager
def running_whole_postgres() -> Iterator[str]:
    """The URL of a PostgreSQL with its extensions, which Prefect's server needs; `TEST_POSTGRES_URL` names another.

    The one of the development tools, which the ledger's tests use, comes without. Raises `NotInstalledError`.
    """
    if given := os.environ.get("TEST_POSTGRES_URL"):
        yield given
        return
    programs = [found.parent for found in sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))]
    if not programs and (found := shutil.which("initdb")):
        programs = [Path(found).parent]
    if not programs:
        raise NotInstalledError("install PostgreSQL (Debian: apt-get install postgresql), or set TEST_POSTGRES_URL")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        Path(folder).chmod(0o755)
        data = Path(folder) / "d"
        data.mkdir()
        # PostgreSQL refuses to be root; its package has made a user for it.
        user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        if user:
            shutil.chown(data, "postgres")
        _said([*user, str(programs[-1] / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "--no-sync"])
        how = f"-c listen_addresses=127.0.0.1 -p {port} -c unix_socket_directories={data} -c fsync=off"
        control = [*user, str(programs[-1] / "pg_ctl"), "-D", str(data), "-w"]
        _said([*control, "-l", str(data / "log"), "-o", how, "start"])
        try:
            url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
            psycopg.connect(url).close()
            yield url
        finally:
            _said([*control, "-m", "immediate", "stop"])


def _said(command: list[str]) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd="/")
