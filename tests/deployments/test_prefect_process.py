"""Garbage is collected apart: a thread that frees a cursor of a connection that waits for a lock stops nobody else.

And writers of SQLite wait for one another: one that has read is not refused because another wrote meanwhile.
"""

import asyncio
import subprocess
import sys
import textwrap
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import httpx
import pytest
from prefect.server.database.configurations import AioSqliteConfiguration
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deployments.prefect_process import AskingOnly, take_the_lock_first

WAITS_S = 3.0

# The deadlock of the server as a script. One connection has the write lock, until this thread lets go of it. Another
# waits for the lock, in a thread. This thread drops a cursor of the waiting one, whose statement failed, in a cycle (as
# an exception's traceback keeps it), and makes enough objects for the garbage collector to run by itself. Printed: the
# seconds until this thread went on.
SCRIPT = textwrap.dedent(
    """
    import gc, sqlite3, sys, threading, time

    holder = sqlite3.connect("base", isolation_level=None, check_same_thread=False)
    waiting = sqlite3.connect("base", isolation_level=None, check_same_thread=False, timeout=WAITS_S)
    holder.execute("PRAGMA journal_mode = WAL")
    holder.execute("CREATE TABLE t (x UNIQUE)")
    holder.execute("INSERT INTO t VALUES (1)")
    APART
    dropped = [waiting.cursor()]
    try:
        dropped[0].execute("INSERT INTO t VALUES (1)")
    except sqlite3.IntegrityError:
        pass
    holder.execute("BEGIN IMMEDIATE")

    def write():
        try:
            waiting.execute("INSERT INTO t VALUES (0)")
        except sqlite3.OperationalError:
            pass

    thread = threading.Thread(target=write)
    thread.start()
    time.sleep(0.3)
    began = time.monotonic()
    dropped.append(dropped)
    del dropped
    made = [[] for _ in range(100_000)]
    time.sleep(0.3)
    holder.execute("COMMIT")
    print(time.monotonic() - began)
    thread.join()
    """
)


def _seconds(folder: Path, apart: str) -> float:
    script = SCRIPT.replace("APART", apart).replace("WAITS_S", str(WAITS_S))
    ran = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=True)
    return float(ran.stdout)


def test_the_deadlock_is_there_without_it_and_gone_with_it(tmp_path: Path) -> None:
    apart = "from deployments.prefect_process import collect_apart; collect_apart(0.05)"
    (tmp_path / "with").mkdir()
    (tmp_path / "without").mkdir()
    assert _seconds(tmp_path / "without", "") > WAITS_S - 1
    assert _seconds(tmp_path / "with", apart) < WAITS_S - 1


async def _two_writers(folder: Path, patience_s: float) -> int:
    """One reads, and writes when the other has, or could not in this time; return what they counted together."""
    config = AioSqliteConfiguration(f"sqlite+aiosqlite:///{folder / 'base'}")
    engine = await config.engine()
    async with await config.session(engine) as session, config.begin_transaction(session):
        await session.execute(text("CREATE TABLE counter (n INTEGER)"))
        await session.execute(text("INSERT INTO counter VALUES (0)"))
    read, written = asyncio.Event(), asyncio.Event()

    async def first() -> None:
        async with await config.session(engine) as session, config.begin_transaction(session):
            n = (await session.execute(text("SELECT n FROM counter"))).scalar_one()
            read.set()
            with suppress(TimeoutError):
                await asyncio.wait_for(written.wait(), patience_s)
            await session.execute(text("UPDATE counter SET n = :n"), {"n": n + 1})

    async def second() -> None:
        await read.wait()
        async with await config.session(engine) as session, config.begin_transaction(session):
            await session.execute(text("UPDATE counter SET n = n + 1"))
        written.set()

    try:
        await asyncio.gather(first(), second())
        async with await config.session(engine) as session:
            return int((await session.execute(text("SELECT n FROM counter"))).scalar_one())
    finally:
        await engine.dispose()


@pytest.fixture
def _as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AioSqliteConfiguration, "begin_transaction", AioSqliteConfiguration.begin_transaction)


@pytest.mark.usefixtures("_as_it_was")
def test_writers_of_prefects_sqlite_wait_for_one_another(tmp_path: Path) -> None:
    with pytest.raises(OperationalError, match="database is locked"):
        asyncio.run(_two_writers(tmp_path, 30.0))
    (tmp_path / "with").mkdir()
    take_the_lock_first()
    assert asyncio.run(_two_writers(tmp_path / "with", 0.2)) == 2


@pytest.mark.parametrize(
    ("api_url", "sources"),
    [
        ("http://127.0.0.1:4200/api", "http://127.0.0.1:4200 ws://127.0.0.1:4200"),
        ("https://desk:secret@prefect.example.com/api", "https://prefect.example.com wss://prefect.example.com"),
    ],
)
async def test_pages_of_the_ui_may_ask_the_api_and_nobody_else(api_url: str, sources: str) -> None:
    async def page(_: Request) -> Response:
        return Response("a page", headers={"content-security-policy": "frame-ancestors 'none'"})

    app = AskingOnly(Starlette(routes=[Route("/", page)]), api_url)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://ui") as browser:
        policies = (await browser.get("/")).headers.get_list("content-security-policy")
    assert policies == ["frame-ancestors 'none'", f"connect-src 'self' {sources}"]


def test_prefects_command_line_is_what_runs() -> None:
    command = [sys.executable, "-m", "deployments.prefect_process", "--version"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == f"{version('prefect')}\n"
