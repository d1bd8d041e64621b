"""`python -m tests.docs.report_pictures`: the pictures of a report that docs/reports.md shows, made anew.

It plays some days of two shops on a local REVER, writes the report as HTML and as Excel, and takes a picture of each:
it needs Chromium, LibreOffice and poppler (Debian: chromium, libreoffice-calc, poppler-utils). No test needs them.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from flows.run import run_flow
from rever_api.sandbox import running_sandbox
from tasks.ledger import Effect, effects
from tests.docs.pages import ROOT
from tests.tasks.files.payouts import ADYEN_HEADER, adyen_row_of, by_card, file_of
from tests.ui.browser import opened_page
from tests.world import PATIENT, World

PICTURES = ROOT / "docs" / "pictures"
DAYS = 7
WIDTH = 1280
PAGE = 6
"""The page of the printed workbook that is shown."""


def played(world: World) -> None:
    """Let the desk pay on some days, a share of the returns on each."""
    sandbox = world.sandbox.sandbox
    everything = dict(sandbox.processes)
    for day in range(DAYS):
        with sandbox.locked():
            sandbox.processes.clear()
            sandbox.processes.update(it for place, it in enumerate(everything.items()) if place % DAYS <= day)
        world.act()
        world.run("track-parcels")
        world.pass_time(86_400)


def payout_file(made: Sequence[Effect]) -> str:
    """Adyen's file of the refunds by card, an hour after each; one is missing, one of another amount, one came back."""
    _, other, back, *right = [it for it in made if by_card(it) and it.amount > 1]
    rows = [adyen_row_of(other, 1, other.amount - 1), adyen_row_of(back, 2)]
    rows.append(adyen_row_of(back, 2, hours=2, word="RefundedReversed", side="credit"))
    rows += [adyen_row_of(it, n) for n, it in enumerate(right, 3)]
    return file_of(ADYEN_HEADER, rows)


def written(folder: Path, returns: int) -> None:
    """Write `report.html` and `report.xlsx` of some days of two shops into the folder, which is this process's."""
    with running_sandbox(returns=returns) as sandbox:
        world = World(sandbox, f"sqlite:///{folder / 'ledger.sqlite'}", dict(PATIENT))
        os.environ.update(world.environment)
        played(world)
        (folder / "adyen.csv").write_text(payout_file(world.read(effects, sandbox.stores)))
        values = {
            "since": f"{world.now() - timedelta(days=DAYS + 1):%F}",
            "until": f"{world.now() - timedelta(days=1):%F}",
            "payouts": "adyen.csv",
            "payout_days": "1",
            "html": "report.html",
            "xlsx": "report.xlsx",
        }
        report = run_flow("daily-report", values, prefect=False, clock=world.clock)
        assert not report.failed, report.failed_why


def photographed(folder: Path) -> None:
    """Take the pictures: the top of the page as it is 1280 pixels wide, and a sheet of the printed workbook."""
    PICTURES.mkdir(exist_ok=True)
    with opened_page((folder / "report.html").as_uri()) as page:
        page.set_viewport_size({"width": WIDTH, "height": 900})
        page.screenshot(path=PICTURES / "report-html.png")
    printed(folder / "report.xlsx", PICTURES / "report-excel", f"-r 70 -f {PAGE} -l {PAGE}")


def printed(workbook: Path, picture: Path, page: str) -> None:
    """Print a workbook as LibreOffice does, and keep a picture of it; `page` says which part, as pdftoppm takes it."""
    folder = workbook.parent
    office: list[str | Path] = [
        "soffice",
        "--headless",
        f"-env:UserInstallation={(folder / 'office').as_uri()}",
        "--convert-to",
        "pdf",
    ]
    subprocess.run([*office, "--outdir", folder, workbook], check=True, capture_output=True)
    command = ["pdftoppm", "-png", "-singlefile", *page.split()]
    subprocess.run([*command, workbook.with_suffix(".pdf"), picture], check=True, capture_output=True)


def main() -> None:
    """Make both pictures anew, or (with a folder) only write the report there."""
    folder = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else Path(tempfile.mkdtemp(prefix="report-"))
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    written(folder, returns=480)
    if len(sys.argv) == 1:
        photographed(folder)


if __name__ == "__main__":
    main()
