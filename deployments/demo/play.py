"""`make demo`: the main job from end to end against a local REVER, then the same with a worker killed in the middle.

Needs no key, no server and no settings, and touches nothing but the folder `.demo` below the working folder, which
it makes anew. Exit code 0 only if every promise was kept; 1 where one was broken, or the demo could not be played.
"""

import os
import shutil
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from deployments.demo.in_peace import in_peace
from deployments.demo.process import DemoError
from deployments.demo.promises import Promise
from deployments.demo.text import Page
from deployments.demo.with_a_kill import with_a_kill
from deployments.prefect_server import PrefectServerError, prefect_server
from tasks.ledger import LedgerError

FAILED, STOPPED = 1, 130


def main() -> int:
    """Play the demo; answers the exit code."""
    began = time.monotonic()
    signal.signal(signal.SIGTERM, _stop)
    page = Page()
    try:
        promises = play(page, fresh_folder(Path.cwd() / ".demo"))
    except (DemoError, PrefectServerError, LedgerError) as failed:
        page.title("The demo could not be played to its end")
        page.say(str(failed), "red")
        return FAILED
    except KeyboardInterrupt:
        page.title("Stopped.")
        return STOPPED
    return conclusion(page, promises, time.monotonic() - began)


def play(page: Page, folder: Path) -> list[Promise]:
    """Play both parts; answers every promise with what was found."""
    with prefect_server(folder / "prefect") as prefect:
        promises, effects = in_peace(page, _made(folder / "in-peace"), prefect)
        return promises + with_a_kill(page, _made(folder / "with-a-kill"), prefect.variables, effects)


def conclusion(page: Page, promises: Sequence[Promise], seconds: float) -> int:
    """Say whether every promise was kept, and what to do next; answers the exit code."""
    broken = [promise for promise in promises if not promise.kept]
    if broken or not promises:
        page.title(f"{len(broken)} of {len(promises)} promises were broken:")
        for promise in broken:
            page.say(f"{promise.name}: {promise.found}", "red")
        return FAILED
    page.title(f"Every promise was kept. {seconds:.0f} s.")
    page.say("Next: `.venv/bin/rever-returns sandbox` is the same local REVER, to point anything at;")
    page.say('README.md, "Try it by hand" and "Going live on a real REVER account", go on from there.')
    return 0


def fresh_folder(folder: Path) -> Path:
    """An empty folder where the last demo's was. It is removed only if a demo made it. Raises `DemoError`."""
    mark = folder / "made-by-the-demo"
    if folder.exists() and not mark.exists():
        raise DemoError(f"{folder} is in the way, and was not made by the demo: move it elsewhere")
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(exist_ok=True)
        mark.write_text(f"{os.getpid()}\n")
    except OSError as failed:
        raise DemoError(f"{folder} cannot be made: {failed.strerror}") from None
    return folder


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _stop(_number: int, _frame: FrameType | None) -> None:
    """Leave by way of every `finally`, so that no worker stays behind."""
    raise KeyboardInterrupt
