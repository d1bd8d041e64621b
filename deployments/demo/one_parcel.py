"""One parcel from its label to the refund: what `why` says of it afterwards, day by day.

Four days pass, and nobody waits for them: REVER's clock and the desk's begin in the past and end at the present. The
flows run in this process, without Prefect, as `rever-returns run FLOW --no-prefect` does.
"""

import os
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from deployments.cli.find import why_text
from deployments.demo.process import DemoError, environment
from deployments.demo.promises import Promise
from deployments.demo.text import Page
from flows.run import RunFailedError, run_flow
from rever_api.models import ReturnInput, ReturnItemInput
from rever_api.sandbox import RunningSandbox, running_sandbox
from rever_api.sandbox.effects import open_return
from rever_api.sandbox.state import Actor

SHOP, ORDER = "acme", "#AC20001"
DAYS = 4

_HAPPENED = "happened"
"""With this word `why` begins the line of what happened first; the others stand below it."""


def one_parcel(page: Page, folder: Path) -> list[Promise]:
    """Play the days of one return, print what happened, and return the promise that it got one label and one refund."""
    page.title("4. One parcel, from its label to the refund")
    with running_sandbox(returns=0, shops=(SHOP,)) as sandbox, _at_desk(sandbox, folder):
        _play(sandbox)
        page.say(f"{DAYS} days later, `rever-returns why {ORDER.lstrip('#')}` says what happened:")
        lines = why_text(ORDER).splitlines()
        begins = next((n for n, line in enumerate(lines) if line.strip().startswith(_HAPPENED)), len(lines))
        for line in lines[begins:]:
            page.say(line.strip().removeprefix(_HAPPENED).strip(), indent=4)
        made = [effect.operation for effect in sandbox.books if effect.by is Actor.API]
        kept = made == ["createOrderV2", "addReview", "issueRefund"] and sandbox.audit().clean
        promises = [Promise("one parcel", "one label, one review, one refund" if kept else ", ".join(made), kept)]
        page.promises("The auditor's verdict on it", promises)
        return promises


def _play(sandbox: RunningSandbox) -> None:
    """The shopper begins; the label is ordered, the parcel collected and brought, the goods inspected and refunded."""
    ahead = timedelta(days=-DAYS)
    sandbox.advance(ahead.total_seconds())

    def clock() -> datetime:
        return datetime.now(UTC) + ahead

    def run(flow: str, **values: str) -> None:
        try:
            run_flow(flow, {"mode": "act", **values}, prefect=False, clock=clock)
        except RunFailedError as failed:
            raise DemoError(f"{flow} failed: {failed}") from None

    sandbox.sandbox.tells = clock
    with sandbox.sandbox.locked():
        item = ReturnItemInput(sku="ACME-001-M", quantity=1, return_reason="WRONG_SIZE_TOO_SMALL")
        wanted = ReturnInput(ecommerce_id=SHOP, order_name=ORDER, email="ada@example.com", items=(item,))
        started = open_return(sandbox.sandbox, wanted, Actor.SHOPPER)
    run("generate-labels")
    for move in ("collect", "arrive"):
        ahead += timedelta(days=1)
        sandbox.advance(timedelta(days=1).total_seconds())
        sandbox.act(move, started.rever_process_id)
        run("track-parcels")
    ahead += timedelta(days=DAYS - 2)
    sandbox.advance(timedelta(days=DAYS - 2).total_seconds())
    Path("day.csv").write_text(f"order,sku,found\n{ORDER},ACME-001-M,good\n", encoding="utf-8")
    Path("mapping.yaml").write_text(_MAPPING, encoding="utf-8")
    run("import-inspections", file="day.csv", mapping="mapping.yaml")
    run("process-pending-returns")


_MAPPING = "columns: {order: order, sku: sku, outcome: found}\nwords: {good: APPROVED}\n"
"""What the columns and words of the warehouse's file mean."""


@contextmanager
def _at_desk(sandbox: RunningSandbox, folder: Path) -> Iterator[None]:
    """Be a desk in front of this REVER, in a folder of its own: nothing of a person's own settings is in force."""
    before = dict(os.environ)
    own = environment(sandbox, folder, {})
    try:
        with chdir(folder):
            os.environ.clear()
            os.environ.update(own)
            yield
    finally:
        os.environ.clear()
        os.environ.update(before)
