"""A real browser on Prefect's UI: Debian's Chromium, led by Playwright. Keeps what it saw for a person to look at."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

PICTURES = Path(__file__).parents[2] / ".pictures"
"""Where screenshots are kept, made anew by each run."""

QUIET = (
    "--no-sandbox",  # a browser that root starts, as in a container, refuses to start with one
    "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
"""It asks nobody but the page it is on."""


class NoBrowserError(Exception):
    """There is no Chromium; the sentence says what to install."""


def chromium() -> str:
    """The path of the browser. Raises `NoBrowserError`."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        raise NoBrowserError("install Chromium (Debian: apt-get install chromium), or name one by CHROMIUM=/path")
    return found


@contextmanager
def opened_page(address: str, auth: str = "") -> Iterator[Page]:
    """The browser's page on this address, logged in where `auth` is given. A picture is kept where the block fails."""
    PICTURES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(QUIET))
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.set_default_timeout(60_000)
        try:
            page.goto(address)
            if auth:
                log_in(page, auth)
            yield page
        except BaseException:
            picture(page, "where it failed")
            raise
        finally:
            browser.close()


def log_in(page: Page, auth: str) -> None:
    """Log in, and wait until the page has: its form is gone then."""
    form = page.locator("input[type=password]")
    form.fill(auth)
    page.get_by_role("button", name="Login").click()
    form.wait_for(state="detached")
    page.wait_for_url(lambda url: "/login" not in url)


def picture(page: Page, name: str) -> None:
    """Keep what the page shows now."""
    page.screenshot(path=PICTURES / f"{name.replace(' ', '-')}.png", full_page=True)
