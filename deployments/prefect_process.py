"""`python -m deployments.prefect_process server start ...`: Prefect's command line, with the Host header checked.

And with a UI that asks nobody else, and without two faults that it has on SQLite.

**The Host header is checked**, which Prefect's server does not do: see `deployments.host_check`. Names that it may be
reached by are those in `PREFECT_SERVER_CORS_ALLOWED_ORIGINS`, `PREFECT_API_URL`, `PREFECT_UI_API_URL` and
`PREFECT_SERVER_API_HOST`. What it writes (its database, files) is for nobody but its own user.

**The UI asks nobody else.** V2 asks Amplitude for settings whenever it is opened, also with
`PREFECT_SERVER_ANALYTICS_ENABLED=false` (3.9.1), so that somebody else learns who works here and when. Its pages are
sent with a Content-Security-Policy that lets them reach this server and Prefect's API (`PREFECT_UI_API_URL`) alone.

**A deadlock.** Python's garbage collector runs in whichever thread makes an object too many: in Prefect's server mostly
the one of its event loop. Where it frees a cursor of a SQLite connection that is just waiting for the write lock, it
waits for that connection; the lock's holder waits for the event loop; and the whole server stands still until SQLite
gives up after 60 s (`database is locked`). Seen with Prefect 3.8.8 in one of a few minutes of work, and told by native
stacks; what it comes from, Python's sqlite3, is the same under 3.9.1. Here the garbage is collected in a thread of its
own, which can wait.

**Writers that are refused where they could wait.** Prefect begins most of its write transactions with `BEGIN DEFERRED`
(still in 3.9.1): they read first, and take the write lock at their first write. Where another has written in between,
SQLite refuses at once, whatever the time-out (`SQLITE_BUSY_SNAPSHOT`: https://sqlite.org/isolation.html). The server
answers 503, and Prefect's clients ask again after 2 s; its services drop what they were about to count. With runs,
events and heartbeats under way that befell nearly every run: from a webhook to its refund it took four seconds, and
takes less than one now. Here every write transaction takes the lock when it begins, and waits its turn, for some
milliseconds.

PostgreSQL knows neither.
"""

import gc
import itertools
import os
import runpy
import threading
import time
from contextlib import AbstractAsyncContextManager
from typing import Any
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deployments.host_check import HostCheck

EVERY_S = 0.5
OLDER_EVERY, OLDEST_EVERY = 10, 120
"""After so many collections of the youngest objects, older and all ones are collected too."""


def collect_apart(every_s: float = EVERY_S) -> threading.Thread:
    """Collect garbage in a thread of its own, and in no other, from now on."""
    gc.disable()
    thread = threading.Thread(target=_collect, args=(every_s,), name="garbage", daemon=True)
    thread.start()
    return thread


def _collect(every_s: float) -> None:
    for count in itertools.count(1):
        time.sleep(every_s)
        gc.collect(2 if count % OLDEST_EVERY == 0 else 1 if count % OLDER_EVERY == 0 else 0)


def take_the_lock_first() -> None:
    """Let each write transaction on SQLite take the write lock when it begins, from now on."""
    from prefect.server.database.configurations import AioSqliteConfiguration
    from sqlalchemy.ext.asyncio import AsyncSession, AsyncSessionTransaction

    begin = AioSqliteConfiguration.begin_transaction

    def begin_immediate(
        self: AioSqliteConfiguration,
        session: AsyncSession,
        with_for_update: bool = False,  # noqa: ARG001 - as Prefect declares it; it is taken for true
    ) -> AbstractAsyncContextManager[AsyncSessionTransaction]:
        return begin(self, session, with_for_update=True)

    AioSqliteConfiguration.begin_transaction = begin_immediate  # type: ignore[method-assign,assignment]


def guard_the_server() -> None:
    """Let Prefect's server refuse requests for hosts that it is not known by, and its UI ask nobody else, from now on.

    Around what it serves, not inside: its services ask their own server, in memory, by a name of Prefect's.
    """
    import uvicorn

    run = uvicorn.run

    def run_checked(app: Any, *more: Any, **how: Any) -> None:
        # Several processes (`--workers`) are given the name of what makes the application, and not it.
        run(app if isinstance(app, str) else HostCheck(AskingOnly(app, ui_api_url()), known_hosts()), *more, **how)

    uvicorn.run = run_checked


class AskingOnly:
    """An ASGI application whose pages a browser lets ask only where they come from, and the origin of `api_url`."""

    def __init__(self, app: ASGIApp, api_url: str) -> None:
        api = urlsplit(api_url)
        host = api.netloc.rpartition("@")[2]
        sources = f"'self' {api.scheme}://{host} {api.scheme.replace('http', 'ws', 1)}://{host}"
        self._app, self._policy = app, f"connect-src {sources}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and add the policy to what is answered."""

        async def with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"content-security-policy", self._policy)]
            await send(message)

        await self._app(scope, receive, with_policy)


def ui_api_url() -> str:
    """Where Prefect tells its UI that the API is: it fills in what nobody has set."""
    from prefect.settings import get_current_settings

    return get_current_settings().server.ui.api_url or ""


def known_hosts() -> set[str]:
    """The hosts that the settings in force say Prefect's server is reached by."""
    from prefect.settings import get_current_settings

    settings = get_current_settings()
    api = settings.server.api
    addresses = [*api.cors_allowed_origins.split(","), settings.api.url or "", settings.server.ui.api_url or ""]
    return {urlsplit(address.strip()).hostname or "" for address in addresses} | {api.host}


def main() -> None:
    """Run Prefect's command line in this process."""
    os.umask(0o077)
    collect_apart()
    take_the_lock_first()
    guard_the_server()
    runpy.run_module("prefect", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
