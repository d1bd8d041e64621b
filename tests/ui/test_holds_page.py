"""A hold answered where it is read: the page of open holds, a link, a name, and what the run says it did.

The pictures of it are kept: `.pictures/holds-*.png`.
"""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey, FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import Artifact, FlowRun

from tests.ui.browser import opened_page, picture
from tests.ui.desks import wait_until
from tests.ui.running_up import UP_WITHIN_S, Up, running_up

pytestmark = [pytest.mark.live, pytest.mark.timeout(900)]

MOST_CLICKS = 4
STORE = "acme"


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A desk with a worker that has gone over all returns once, and does so no more."""
    with running_up(tmp_path_factory.mktemp("up"), "--workers", "1") as running:
        running.wait_for("The desk is up", UP_WITHIN_S)
        running.pause_schedules()
        with running.client() as client:
            pending = client.read_deployment_by_name("process-pending-returns/process-pending-returns")
            act = {"parameters": {"mode": "act"}}
            run = client.create_flow_run_from_deployment(pending.id, parameters=act)
            wait_until(lambda: _ended(running, run), "the run that opens the holds", 300, 1)
        yield running


class Person:
    """Somebody at the page, whose clicks are counted."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.clicks = 0

    def click(self, what: Locator) -> None:
        self.clicks += 1
        what.click()

    def write(self, field: str, text: str) -> None:
        """Click into a field of the form, and type."""
        self.click(_field(self.page, field))
        self.page.keyboard.type(text)


def test_a_hold_is_answered_from_its_page_in_four_clicks_and_no_id_is_typed(up: Up) -> None:
    before = _holds_page(up)
    orders = re.findall(r"^#### .*?(#\w+)\]?.*?: ([\d.,]+ EUR|no amount)$", str(before.data), re.MULTILINE)
    amounts = [0 if amount == "no amount" else float(amount.split()[0].replace(",", "")) for _, amount in orders]
    assert amounts == sorted(amounts, reverse=True)
    assert amounts[0] > 0
    paid = _paid(up)
    with opened_page(_address(up, before), up.auth()) as page:
        olga = Person(page)
        expect(page.get_by_role("heading", name=f"Open holds of {STORE}")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "the page is too wide"
        picture(page, "holds 1 page")
        olga.click(page.get_by_role("link", name="approve").first)
        expect(_field(page, "Your name")).to_be_visible()
        assert not page.get_by_text("Completed").count(), "following the link is no answer"
        assert _paid(up) == paid
        olga.write("Your name", "olga")
        picture(page, "holds 2 form")
        olga.click(page.get_by_role("button", name="Submit"))
        run = page.locator("a[href*='/runs/flow-run/']").first
        run.wait_for()
        olga.click(run)
        page.wait_for_url(re.compile("/runs/flow-run/"))
        run_id = page.url.partition("/runs/flow-run/")[2][:36]
        expect(page.get_by_text("Completed", exact=True).first).to_be_visible(timeout=120_000)
        page.wait_for_timeout(1000)
        picture(page, "holds 3 run")
        assert olga.clicks <= MOST_CLICKS
        page.get_by_role("tab", name="Artifacts").click()
        page.locator("a[href*='/artifacts/']").filter(has_text="answer-hold-report").first.click()
        expect(page.get_by_text(re.compile("answered approve by olga: paid")).first).to_be_visible()
        picture(page, "holds 4 report")
        page.get_by_role("link", name=STORE, exact=True).click()
        expect(page.get_by_role("heading", name=f"Open holds of {STORE}")).to_be_visible()
        expect(page.get_by_role("heading", name=orders[0][0])).to_have_count(0)
        picture(page, "holds 5 page after")
    done = _message(up, run_id)
    for words in (orders[0][0], "hold ", "answered approve by olga: paid ", "What follows: "):
        assert words in done
    (made,) = _paid(up)[len(paid) :]
    assert done.startswith(made["process_id"])
    # What is paid here a person has approved beside what another has paid: the auditor names that return alone.
    assert {found["process_id"] for found in _asked(up, "audit")["violations"]} == {made["process_id"]}
    print(f"\n{olga.clicks} clicks; {done}")


def test_a_link_opens_the_form_after_a_login_and_what_the_answer_lacks_is_said_at_once(up: Up) -> None:
    before = _holds_page(up)
    (link, *_) = re.findall(r"\[drop\]\((\S+)\)", str(before.data))
    paid, runs = _paid(up), _answers(up)
    with opened_page(link, up.auth()) as page:  # as from a notice, by who has not logged in
        pau = Person(page)
        expect(_field(page, "Your name")).to_be_visible()
        pau.click(page.get_by_role("button", name="Submit"))
        expect(page.get_by_text("should be non-empty").first).to_be_visible()
        assert page.get_by_text("'' should be non-empty", exact=True).count() == 2
        picture(page, "holds 6 refused")
        assert _answers(up) == runs
        # Prefect checks the form once more, a second after the first change. Who types the reason later still sees its
        # sentence, and their next click on Submit only checks: so it is done here, however slow the machine is.
        said = page.get_by_text("'' should be non-empty", exact=True)
        pau.write("Your name", "pau")
        expect(said).to_have_count(1)
        pau.write("Reason", "goodwill")
        page.get_by_role("button", name="Submit").click()
        expect(said).to_have_count(0)
        pau.click(page.get_by_role("button", name="Submit"))
        run = page.locator("a[href*='/runs/flow-run/']").first
        run.wait_for()
        run.click()
        expect(page.get_by_text("Completed", exact=True).first).to_be_visible(timeout=120_000)
        picture(page, "holds 7 dropped")
    assert pau.clicks <= MOST_CLICKS
    assert _paid(up) == paid
    assert _answers(up) == runs + 1
    with opened_page(link, up.auth()) as page:  # whoever comes second is told
        page.wait_for_timeout(500)
        ada = Person(page)
        ada.write("Your name", "ada")
        ada.write("Reason", "goodwill")
        ada.click(page.get_by_role("button", name="Submit"))
        run = page.locator("a[href*='/runs/flow-run/']").first
        run.wait_for()
        run.click()
        expect(page.get_by_text("Failed", exact=True).first).to_be_visible(timeout=120_000)
        assert "was answered with 'drop' by pau" in _message(up, page.url.partition("/runs/flow-run/")[2][:36])


def _field(page: Page, title: str) -> Locator:
    """One field of the form, by its title."""
    return page.get_by_label(re.compile(rf"^{title}"))


def _address(up: Up, page: Artifact) -> str:
    return f"{up.address('Prefect')}/v2/artifacts/artifact/{page.id}#page"


def _holds_page(up: Up) -> Artifact:
    with up.client() as client:
        (page,) = client.read_artifacts(
            artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[f"open-holds-{STORE}"]))
        )
    return page


def _ended(up: Up, run: FlowRun) -> bool:
    with up.client() as client:
        state = client.read_flow_run(run.id).state
    assert not (state and state.is_final() and not state.is_completed()), state
    return bool(state and state.is_completed())


def _message(up: Up, run_id: str) -> str:
    with up.client() as client:
        (run,) = client.read_flow_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[run_id])))
    return str(run.state.message if run.state else "")


def _answers(up: Up) -> int:
    """How many answers were submitted."""
    with up.client() as client:
        return len([run for run in client.read_flow_runs(limit=200) if "people" in run.tags])


def _paid(up: Up) -> list[Any]:
    """The refunds in REVER's own books."""
    return [effect for effect in _asked(up, "books")["effects"] if effect["operation"] == "issueRefund"]


def _asked(up: Up, name: str) -> Any:
    return httpx.get(f"{up.address('sandbox')}/_sandbox/{name}", trust_env=False).raise_for_status().json()
