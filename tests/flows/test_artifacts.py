"""What a run leaves in the UI: stable keys, links, and words from outside that markdown does not act on."""

from dataclasses import replace
from decimal import Decimal

from flows.artifacts import artifacts_of
from tasks.report import Failure, Mode, Report, Row
from tasks.report_page import holds_table, report_page
from tests.tasks.test_notices import HOLD

BACK_OFFICE = "https://rever.example/{process_id}"


def report(flow: str = "process-pending-returns", stores: tuple[str, ...] = ("acme",)) -> Report:
    made = Report(flow, Mode.ACT, stores, back_office=BACK_OFFICE, seen=1)
    made.rows["retp_1"] = Row("retp_1", "#1|*x*", "acme", "refund", "[approved](x)", Decimal(5), "EUR", "refund: done")
    return made


def keys(made: Report) -> set[str | None]:
    return {artifact.key for artifact in artifacts_of(made, [HOLD])}


def test_keys_are_the_flows_and_the_stores_and_fit_for_prefect() -> None:
    flow = "process-pending-returns"
    assert keys(report()) == {f"{flow}-report", f"{flow}-returns", "open-holds-acme"}
    assert "open-holds-acme-eu-nordic" in keys(report(stores=("Acme.EU", "nordic")))
    many = tuple(f"store{n}" for n in range(40))
    (key,) = (key for key in keys(report(stores=many)) if key and key.startswith("open-holds"))
    assert key == next(key for key in keys(report(stores=many)) if key and key.startswith("open-holds-40-stores-"))
    assert len(key) < 80


def test_a_run_over_one_return_shows_its_own_holds_only() -> None:
    assert keys(report("process-return")) == {f"process-return-{part}" for part in ("report", "returns", "holds")}
    other = [replace(HOLD, process_id="retp_2")]
    assert len(artifacts_of(report("process-return"), other)) == 2


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
