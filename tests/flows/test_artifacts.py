"""What a run leaves in the UI: stable keys, links, and words from outside that markdown does not act on."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from flows.in_prefect import artifacts_of, open_holds_table
from tasks.ledger import Pause
from tasks.reporting.report import Failure, Mode, ReturnsReport, Row
from tasks.reporting.report_page import holds_table, report_page
from tests.tasks.in_prefect.test_events import HOLD

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


def holds_key(store: str) -> str:
    return str(open_holds_table(store, [HOLD], [], "").key)


def test_two_stores_never_share_a_table_of_open_holds() -> None:
    assert holds_key("acme") == "open-holds-acme"
    stores = ("acme", "Acme", "acme.eu", "acme-eu", "Acme.EU", "漢字", "店", "", "x" * 200, "x" * 201, "\ud800")
    found = [holds_key(store) for store in stores]
    assert len(set(found)) == len(stores)
    assert all(re.fullmatch("[a-z0-9-]{1,100}", key) for key in found)


def test_the_table_of_open_holds_says_that_the_store_is_paused_and_what_it_leaves_out() -> None:
    pause = Pause("acme", NOON, NOON + timedelta(minutes=4))
    table = open_holds_table("acme", [HOLD] * 501, [pause], "")
    assert "nothing is sent there until 2026-11-23 12:04Z" in str(table.description)
    assert "rever-returns resume acme --by NAME" in str(table.description)
    assert "There are 501; these are the oldest 500." in str(table.description)


NASTY = "`x`|[a](https://evil.example)<img src=x onerror=alert(1)>\\\n# h \x1b[2J\u202e"


def test_no_word_from_outside_acts_in_a_table_or_on_the_page() -> None:
    made = report(stores=(NASTY,))
    made.rows = {"r": Row(NASTY, NASTY, NASTY, "refund", NASTY, Decimal(5), NASTY, NASTY)}
    made.paid = {NASTY: Decimal(5)}
    made.notes, made.failures = [NASTY], [Failure(NASTY, NASTY)]
    made.tables = {"comparison": [{"why": NASTY}]}
    hold = replace(HOLD, process_id=NASTY, store=NASTY, order_name=NASTY, why=NASTY, currency=NASTY, rule="a`b")
    tables = [*artifacts_of(made), open_holds_table("acme", [replace(hold, answers={"drop": NASTY})], [], BACK_OFFICE)]
    for artifact in tables:
        text = getattr(artifact, "markdown", None) or "\n".join(
            cell for row in getattr(artifact, "table", []) for cell in row.values()
        )
        for active in ("](https://evil", "<img", "|[a]", "\x1b", "\u202e", "\n# h"):
            assert active not in text.replace("\\<img", ""), (artifact.key, active)
        assert "`x`" not in text.replace("\\`", "")


def test_the_page_says_what_was_done_links_and_lets_no_word_act_as_markdown() -> None:
    made = report()
    made.failures.append(Failure("retp_3", "no answer"))
    page = report_page(made)
    assert "- [retp_1](https://rever.example/retp_1) (#1\\|\\*x\\*, acme): refund 5 EUR → refund: done." in page
    assert "[approved](x)" not in page
    assert "- [retp_3](https://rever.example/retp_3): no answer" in page


def test_the_table_of_holds_has_what_the_form_of_an_answer_asks_for() -> None:
    (row,) = holds_table([HOLD], "")
    assert (row["return"], row["hold_id"], row["version"]) == ("retp_1", "h1", "1")
    assert row["answers"] == "- `retry`: lets it pass"
