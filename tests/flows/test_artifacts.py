"""What a run leaves in the UI: stable keys, links, and words from outside that markdown does not act on."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit
from zoneinfo import ZoneInfo

import pytest

from flows import answer_hold, answer_holds
from flows.in_prefect import artifacts_of, open_holds_page
from tasks.answer_hold import list_mark
from tasks.in_prefect.ui_links import NO_LINKS, UiLinks, holds_key
from tasks.ledger import HoldRow, Pause
from tasks.policy.parcel import ParcelLine
from tasks.reporting.holds_page import in_order
from tasks.reporting.printable import markdown
from tasks.reporting.report import Failure, Mode, ReturnsReport, Row
from tasks.reporting.report_page import report_page
from tests.samples import NEW_HOLD as HOLD

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
BACK_OFFICE = "https://rever.example/{process_id}"


def report(flow: str = "process-pending-returns", stores: tuple[str, ...] = ("acme",)) -> ReturnsReport:
    made = ReturnsReport(flow, stores, mode=Mode.ACT, back_office=BACK_OFFICE, seen=1)
    made.rows["retp_1"] = Row("retp_1", "#1|*x*", "acme", "refund", "[approved](x)", Decimal(5), "EUR", "refund: done")
    return made


def keys(made: ReturnsReport) -> set[str | None]:
    return {artifact.key for artifact in artifacts_of(made)}


def test_keys_are_the_flows_and_one_for_each_stores_open_holds() -> None:
    assert keys(report()) == {"process-pending-returns-report", "process-pending-returns-returns"}
    assert keys(report("process-return")) == {"process-return-report", "process-return-returns"}


def holds_page(store: str, holds: Sequence[HoldRow], pauses: Sequence[Pause] = (), links: UiLinks = NO_LINKS) -> str:
    return open_holds_page(store, holds, pauses, links, BACK_OFFICE, NOON)


def test_two_stores_never_share_a_page_of_open_holds() -> None:
    assert holds_key("acme") == "open-holds-acme"
    stores = ("acme", "Acme", "acme.eu", "acme-eu", "Acme.EU", "漢字", "店", "", "x" * 200, "x" * 201, "\ud800")
    found = [holds_key(store) for store in stores]
    assert len(set(found)) == len(stores)
    assert all(re.fullmatch("[a-z0-9-]{1,100}", key) for key in found)


def test_the_page_of_open_holds_says_that_the_store_is_paused_and_what_it_leaves_out() -> None:
    pause = Pause("acme", NOON, NOON + timedelta(minutes=4))
    page = holds_page("acme", [HOLD] * 101, [pause])
    assert "nothing is sent there until 2026-11-23 12:04 UTC" in page
    assert "rever-returns resume acme --by NAME" in page
    assert "**101 holds**, 8,080.00 EUR in all" in page
    assert "Listed are 100; `rever-returns holds` lists all" in page
    assert page.count("#### ") == 100
    assert "Nothing waits for a person." in holds_page("acme", [])


def test_the_times_of_the_page_are_those_of_the_stores_zone() -> None:
    pause = Pause("acme", NOON, NOON + timedelta(minutes=4))
    late = replace(HOLD, hold_id="late", since=NOON - timedelta(hours=12, minutes=30), amount=Decimal(500))
    noon = replace(HOLD, hold_id="noon", since=NOON)
    page = open_holds_page("acme", [noon, late], [pause], NO_LINKS, BACK_OFFICE, NOON, zone=ZoneInfo("Europe/Madrid"))
    assert "nothing is sent there until 2026-11-23 13:04 CET" in page
    assert "Written 2026-11-23 13:00 CET;" in page
    assert "since 2026-11-23 00:30 CET" in page
    assert "UTC" not in page
    assert page.index("hold `late`") < page.index("hold `noon`"), "the same day at the store: by amount"


def test_what_went_quiet_stands_at_the_top_of_the_page() -> None:
    said = "no run of reconcile-_acme_ has begun for 3 h"
    pause = Pause("acme", NOON, NOON + timedelta(minutes=4))
    page = open_holds_page("acme", [HOLD], [pause], NO_LINKS, BACK_OFFICE, NOON, [said])
    assert page.splitlines()[2] == f"**{markdown(said[0].upper() + said[1:])}.**"
    assert page.index("No run of") < page.index("is paused") < page.index("**1 hold**")


NASTY = "`x`|[a](https://evil.example)<img src=x onerror=alert(1)>\\\n# h \x1b[2J\u202e"


def test_no_word_from_outside_acts_in_a_table_or_on_the_page() -> None:
    made = report(stores=(NASTY,))
    made.rows = {"r": Row(NASTY, NASTY, NASTY, "refund", NASTY, Decimal(5), NASTY, NASTY)}
    made.paid = {NASTY: Decimal(5)}
    made.notes, made.failures = [NASTY], [Failure(NASTY, NASTY)]
    made.tables = {"comparison": [{"why": NASTY}]}
    hold = replace(HOLD, process_id=NASTY, store=NASTY, order_name=NASTY, why=NASTY, currency=NASTY, rule="a`b")
    goods = ParcelLine("l", NASTY, NASTY, 1, NASTY, {NASTY: 1}, (NASTY,))
    bad = replace(hold, answers={"drop": NASTY}, parcel=(goods,))
    texts = {"page": holds_page(NASTY, [bad, bad]), "page with forms": holds_page(NASTY, [bad, bad], links=LINKS)}
    for artifact in artifacts_of(made):
        cells = (cell for row in getattr(artifact, "table", []) for cell in row.values())
        texts[str(artifact.key)] = getattr(artifact, "markdown", None) or "\n".join(cells)
    for key, text in texts.items():
        for active in ("](https://evil", "<img", "|[a]", "\x1b", "\u202e", "\n# h"):
            assert active not in text.replace("\\<img", ""), (key, active)
        assert "`x`" not in text.replace("\\`", "")


def test_the_page_says_what_was_done_links_and_lets_no_word_act_as_markdown() -> None:
    made = report()
    made.failures.append(Failure("retp_3", "no answer"))
    page = report_page(made)
    assert "- [retp_1](https://rever.example/retp_1) (#1\\|\\*x\\*, acme): refund 5 EUR → refund: done." in page
    assert "[approved](x)" not in page
    assert "- [retp_3](https://rever.example/retp_3): no answer" in page


LINKS = UiLinks("https://desk.example/v2", "id-1", "id-2")


def form_of(link: str) -> dict[str, Any]:
    """What a link fills in."""
    parts = urlsplit(link)
    assert parts.fragment == "form"
    filled: dict[str, Any] = json.loads(parse_qs(parts.query)["parameters"][0])
    return dict(filled["parameters"])


def test_a_hold_says_order_amount_age_holder_and_goods_and_has_a_link_for_each_answer() -> None:
    goods = ParcelLine("l1", "Linen shirt", "LS-1", 2, "TOO_SMALL", {"APPROVED": 1, "DECLINED": 1}, ("worn",))
    held = replace(HOLD, since=NOON - timedelta(hours=3), parcel=(goods,), answers={"approve": "pays", "drop": "never"})
    page = holds_page("acme", [held], links=LINKS)
    assert "#### [#1001](https://rever.example/retp_1): 80.00 EUR" in page
    why = "the refund of 80 EUR\\\\nis above the most"
    assert f"Held for 3 h, since 2026-11-23 09:00 UTC, by a cap of the policy (`guard:max_refund`): {why}" in page
    assert "- 2 x Linen shirt (SKU LS-1); returned for TOO_SMALL; 1 approved, 1 declined (worn)" in page
    found = dict(re.findall(r"^- \*\*\[(\w+)\]\((\S+)\)\*\*: ", page, re.MULTILINE))
    assert set(found) == {"approve", "drop"}
    for answer, link in found.items():
        assert link.startswith("https://desk.example/v2/deployments/deployment/id-1/run?parameters=")
        assert form_of(link) == {"hold_id": "h1", "version": 1, "answer": answer, "mode": "act"}
        wanted = {} if answer == "approve" else {"reason": "goodwill"}
        answer_hold.Parameters.model_validate(form_of(link) | {"by": "olga"} | wanted)
        with pytest.raises(ValueError, match="who gives it"):
            answer_hold.Parameters.model_validate(form_of(link))
    block = holds_page("acme", [held], links=replace(LINKS, credentials="acme-key"))
    assert quote('"credentials":"acme-key"', safe="") in block


def test_without_a_form_each_answer_has_its_command() -> None:
    page = holds_page("acme", [replace(HOLD, answers={"approve": "pays", "drop": "never"})])
    assert "run answer-hold hold_id=h1 version=1 answer=approve by=NAME mode=act`" in page
    assert "run answer-hold hold_id=h1 version=1 answer=drop by=NAME reason=WHY mode=act`" in page
    assert "deployments/deployment" not in page


def test_holds_of_one_cause_are_answered_at_once_as_they_are_listed() -> None:
    holds = [HOLD, replace(HOLD, hold_id="h2"), replace(HOLD, hold_id="h3", rule="refused_by_rever")]
    page = holds_page("acme", holds, links=LINKS)
    (link,) = re.findall(r"\[2 of `guard:max_refund`\]\((\S+)\)", page)
    assert "/deployment/id-2/run" in link
    mark = list_mark(holds[:2])
    wanted = {"cause": "guard:max_refund", "stores": ["acme"], "listed": mark, "mode": "act"}
    assert form_of(link) == wanted
    answer_holds.Parameters.model_validate(form_of(link) | {"answer": "approve", "by": "olga"})
    assert "of `refused_by_rever`" not in page


def test_the_newest_day_is_first_and_of_a_day_the_largest_amount() -> None:
    def held(name: str, hours: int, amount: str | None) -> HoldRow:
        money = None if amount is None else Decimal(amount)
        return replace(HOLD, hold_id=name, since=NOON - timedelta(hours=hours), amount=money)

    holds = [held("old", 30, "900"), held("none", 1, None), held("small", 1, "9.50"), held("large", 5, "100.00")]
    holds += [held("older", 6, "9.50")]
    assert [hold.hold_id for hold in in_order(holds)] == ["large", "small", "older", "none", "old"]


def test_the_page_of_a_run_leads_to_what_waits_for_a_person() -> None:
    made = report()
    made.holds_pages = {"acme": LINKS.page("acme")}
    line = "| What waits for a person | [acme](https://desk.example/v2/artifacts/key/open-holds-acme#page) |"
    assert line in report_page(made)
    assert "waits for a person" not in report_page(report())
