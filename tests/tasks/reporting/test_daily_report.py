"""The definitions of the daily report's figures, by small cases made by hand."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tasks.ledger import Effect
from tasks.policy.comparison import RefundComparison
from tasks.policy.comparison import Seen as Compared
from tasks.policy.payouts import Reconciled
from tasks.policy.record import IntentKind, IntentState, PaidSeen
from tasks.policy.store import CarrierLimits
from tasks.reconcile_payouts import PayoutsFound
from tasks.reporting.daily_data import Rate, Sold, StoreWindow, split
from tasks.reporting.daily_report import FIGURES, DailyRun
from tasks.reporting.daily_times import p90
from tasks.reporting.report_files import LARGEST_PAGE, report_html
from tasks.reporting.return_rows import ReturnParts, Seen, Stage
from tasks.reporting.tables import Kind, readable
from tests.tasks.reporting.daily import NOW, PAID_AT, WINDOW, effect, held, line, report, returned, review, row, rows

ZERO = Decimal(0)
NO_PAYOUTS = PayoutsFound((), WINDOW.since, WINDOW.until, Reconciled((), ()))
DAY = timedelta(days=1)


def money(text: str) -> Decimal:
    return Decimal(text)


# Money out.


def test_what_was_accepted_and_not_paid_is_on_its_way_and_apart_from_paid() -> None:
    parts = returned(seen=(Seen("i1", money("10.00"), money("4.00"), None),))
    found = row(report(parts, effects=[effect()]), "money")
    assert found["refunded"] == money("10.00")
    assert (found["paid"], found["on_its_way"], found["not_shown"]) == (money("4.00"), money("6.00"), ZERO)


def test_what_rever_does_not_show_is_not_counted_as_paid() -> None:
    parts = returned(seen=(Seen("i1", ZERO, ZERO, None),))
    found = row(report(parts, effects=[effect()]), "money")
    assert (found["paid"], found["on_its_way"], found["not_shown"]) == (ZERO, ZERO, money("10.00"))


def test_where_a_return_was_not_read_the_ledger_tells_what_is_paid() -> None:
    seen = PaidSeen(money("3.00"), money("3.00"), PAID_AT)
    found = row(report(effects=[effect(paid_seen=seen), effect("i2", "5.00")]), "money")
    assert (found["refunded"], found["paid"], found["on_its_way"]) == (money("15.00"), money("8.00"), money("7.00"))


def test_a_return_that_could_not_be_read_is_counted() -> None:
    said = report(unread={"retp_1": "REVER's answer could not be read"}).not_computable[-1]
    assert said == "1 return could not be read: the money is in all sums, the reasons are not known"


def test_what_a_person_paid_is_beside_the_sum_and_never_in_it() -> None:
    found = row(report(effects=[effect(), effect("i2", "5.00", state=IntentState.DONE_BY_HAND)]), "money")
    assert (found["refunds"], found["refunded"], found["by_hand"]) == (2, money("10.00"), money("5.00"))


def test_currencies_are_never_added() -> None:
    found = rows(report(effects=[effect(), effect("i2", "99.00", currency="SEK")]), "money")
    assert [(it["currency"], it["refunded"]) for it in found] == [("EUR", money("10.00")), ("SEK", money("99.00"))]


@pytest.mark.parametrize(
    "state", [IntentState.INTENDED, IntentState.SENT, IntentState.UNKNOWN, IntentState.REFUSED, IntentState.WITHDRAWN]
)
def test_what_is_not_known_to_be_paid_is_no_money_out(state: IntentState) -> None:
    assert rows(report(effects=[effect(state=state)]), "money") == []


def test_what_was_dropped_is_said_and_in_no_sum() -> None:
    table = report(effects=[effect(state=IntentState.DROPPED)]).table("money")
    assert table.rows == ()
    assert table.notes == (
        "10.00 EUR in 1 refunds was dropped by a person: nobody knows whether it was paid, so it is in no sum",
    )


def test_the_window_has_its_beginning_and_not_its_end() -> None:
    begins, before, ends = WINDOW.since, WINDOW.since - timedelta(microseconds=1), WINDOW.until
    at = {"i1": begins, "i2": before, "i3": ends}
    found = report(effects=[effect(name, closed_at=when) for name, when in at.items()])
    assert [it["refund"] for it in rows(found, "payments")] == ["i1"]


def test_a_refund_of_two_lines_is_split_over_them_and_comes_to_the_same() -> None:
    parts = returned(line("l1"), line("l2", reason="BROKEN", sku="HAT", product="Hat"))
    paid = effect(amount="9.99", parts=(("l1", money("10.00")), ("l2", money("10.00"))))
    found = report(parts, effects=[paid])
    assert {it["reason"]: it["refunded"] for it in rows(found, "reasons")} == {
        "WRONG_SIZE": money("5.00"),
        "BROKEN": money("4.99"),
    }
    assert {it["sku"]: it["refunds"] for it in rows(found, "products")} == {"SHIRT-M": 1, "HAT": 1}


def test_what_cannot_be_split_has_a_row_of_its_own() -> None:
    found = report(effects=[effect(), effect("i2", "5.00", parts=())])
    assert {it["reason"]: it["refunded"] for it in rows(found, "reasons")} == {
        "(the return could not be read)": money("10.00"),
        "(no article named)": money("5.00"),
    }
    assert [it["country"] for it in rows(found, "countries")] == ["(the return could not be read)"]


def test_the_orders_shipping_is_no_reason_and_no_product() -> None:
    parts = returned(line("l1"), line("l2", reason="BROKEN"), seen=(Seen("i1", money("24.95"), money("4.95"), None),))
    paid = effect(amount="24.95", shipping=money("4.95"), parts=(("l1", money("10.00")), ("l2", money("10.00"))))
    found = report(parts, effects=[paid])
    split_up = {it["reason"]: (it["refunded"], it["paid"]) for it in rows(found, "reasons")}
    assert {reason: refunded for reason, (refunded, _) in split_up.items()} == {
        "WRONG_SIZE": money("10.00"),
        "BROKEN": money("10.00"),
        "(the order's shipping)": money("4.95"),
    }
    assert sum((paid for _, paid in split_up.values()), ZERO) == money("4.95")


AMOUNTS = st.decimals(-1000, 1000, places=2)
WEIGHTS = st.lists(st.decimals(-10, 1000, places=2), min_size=1, max_size=8)


@given(AMOUNTS, WEIGHTS, st.sampled_from(["EUR", "JPY", "KWD"]))
@example(money("-2.01"), [money("5.00"), money("5.00")], "EUR")
def test_parts_come_to_the_whole_and_none_is_a_unit_off(amount: Decimal, weights: list[Decimal], currency: str) -> None:
    parts = split(amount, weights, currency)
    assert sum(parts, ZERO) == amount
    total = sum(weights, ZERO)
    if total > 0 and min(weights) >= 0:
        unit = 2 if currency == "JPY" else 1
        assert all(abs(part - amount * weight / total) < unit for part, weight in zip(parts, weights, strict=True))


def test_store_credit_and_exchanges_are_retained() -> None:
    effects = [
        effect("i1", "60.00"),
        effect("i2", "20.00", method="GIFT_CARD"),
        effect("i3", "0.00", kind=IntentKind.EXCHANGE, method="", gross=money("20.00")),
        effect("i4", "99.00", kind=IntentKind.EXCHANGE, state=IntentState.REFUSED, gross=money("99.00")),
    ]
    found = row(report(effects=effects), "retained")
    assert (found["store_credit"], found["exchanged"], found["of"]) == (money("20.00"), money("20.00"), money("100.00"))
    assert found["share"] == money("0.4")


def test_what_is_converted_stands_beside_the_exact_sums() -> None:
    rates = [Rate("SEK", "EUR", money("0.0871"))]
    found = report(effects=[effect(), effect("i2", "100.05", currency="SEK")], rates=rates)
    assert [(it["currency"], it["refunded"], it["into"], it["converted"]) for it in rows(found, "converted")] == [
        ("EUR", money("10.00"), "", None),
        ("SEK", money("100.05"), "EUR", money("8.71")),
    ]
    assert [it["refunded"] for it in rows(found, "money")] == [money("10.00"), money("100.05")]


def test_processed_is_named_where_it_is_clear_which_refund_is_meant() -> None:
    at = PAID_AT + timedelta(minutes=5)
    parts = returned(seen=(Seen("i1", money("10.00"), money("10.00"), at),))
    assert row(report(parts, effects=[effect()]), "payments")["processed"] == at


def test_shoppers_are_named_only_where_they_are_asked_for() -> None:
    parts = returned(name="Ana Ruiz", email="ana@example.com")
    assert "shopper" not in row(report(parts, effects=[effect()]), "payments")
    asked = report(parts, effects=[effect()], personal=True)
    assert row(asked, "payments")["email"] == "ana@example.com"
    assert row(asked, "open_returns")["shopper"] == "Ana Ruiz"
    run = DailyRun("daily-report", found=asked)
    assert "Ana" not in run.page + "".join(run.lines()), "what Prefect keeps and a terminal shows names nobody"


# Days.

MADRID = ZoneInfo("Europe/Madrid")


def days(first: date, last: date) -> StoreWindow:
    ends = last + DAY
    return StoreWindow(
        "acme",
        datetime(first.year, first.month, first.day, tzinfo=MADRID).astimezone(UTC),
        datetime(ends.year, ends.month, ends.day, tzinfo=MADRID).astimezone(UTC),
        MADRID,
    )


def test_days_have_23_and_25_hours_when_clocks_change() -> None:
    autumn, spring = days(date(2026, 10, 24), date(2026, 10, 26)), days(date(2027, 3, 27), date(2027, 3, 29))
    assert [(it.day.day, it.hours) for it in autumn.days()] == [(24, 24), (25, 25), (26, 24)]
    assert [(it.day.day, it.hours) for it in spring.days()] == [(27, 24), (28, 23), (29, 24)]
    assert autumn.words == "2026-10-24 to 2026-10-26"


def test_both_of_the_doubled_hours_are_of_the_day() -> None:
    window = days(date(2026, 10, 25), date(2026, 10, 25))
    times = [datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)]
    assert {at.astimezone(MADRID).hour for at in times} == {2}
    found = report(windows={"acme": window}, effects=[effect(f"i{n}", closed_at=at) for n, at in enumerate(times)])
    assert [(it["day"], it["refunds"]) for it in rows(found, "days")] == [(date(2026, 10, 25), 2)]


# Returns.


def test_a_return_rate_is_returns_by_orders_and_never_the_other_way_round() -> None:
    begun = [returned(process_id=f"retp_{n}", order=f"#{n}", started_at=PAID_AT) for n in range(5)]
    sold = {"acme": Sold(orders=100, units=200, sales={"EUR": money("1000.00")})}
    found = row(report(*begun, sold=sold), "rates")
    assert (found["orders_returned"], found["orders"], found["order_rate"]) == (5, 100, money("0.05"))
    assert readable(found["order_rate"], Kind.SHARE) == "5.0 %"
    assert (found["unit_rate"], found["revenue_rate"]) == (money("0.025"), money("0.05"))


def test_two_returns_of_one_order_are_one_order_with_a_return() -> None:
    begun = [returned(process_id=name, order="#1", started_at=PAID_AT) for name in ("retp_1", "retp_2")]
    assert row(report(*begun, sold={"acme": Sold(orders=10)}), "rates")["order_rate"] == money("0.1")


def test_without_order_counts_there_is_no_rate_and_it_says_so() -> None:
    found = report(returned(started_at=PAID_AT))
    assert "rates" not in {table.name for table in found.tables}
    assert found.not_computable[0].startswith("order, unit and revenue return rates: not computable, no order counts")


def test_nothing_sold_is_no_rate_of_0() -> None:
    assert row(report(sold={"acme": Sold(orders=0)}), "rates")["order_rate"] is None


@pytest.mark.parametrize(
    ("days_old", "bucket"),
    [
        (6.99, "age_0"),
        (7, "age_1"),
        (14.9, "age_1"),
        (15, "age_2"),
        (21.9, "age_2"),
        (22, "age_3"),
        (30.9, "age_3"),
        (31, "age_4"),
    ],
)
def test_what_waits_is_in_revers_buckets_of_age(days_old: float, bucket: str) -> None:
    found = row(report(returned(started_at=NOW - timedelta(days=days_old))), "waiting")
    assert found[bucket] == 1
    assert found["returns"] == 1


def test_what_waits_is_worth_what_is_not_refunded_of_it() -> None:
    found = row(report(returned(refunded=money("4.00"), stage=Stage.INSPECTED)), "waiting")
    assert (found["stage"], found["value"]) == ("inspected, not paid", money("6.00"))


def test_the_hold_rate_is_of_the_returns_that_began_in_the_window() -> None:
    begun = [returned(process_id=f"retp_{n}", started_at=PAID_AT) for n in range(4)]
    old = returned(process_id="old")
    found = row(report(*begun, old, holds=[held(), held("h2", process_id="old"), held("h3")]), "returns")
    assert (found["started"], found["held"], found["hold_rate"]) == (4, 1, money("0.25"))


def test_holds_are_opened_answered_and_open() -> None:
    answered = held("h2", state="answered", answered_at=PAID_AT, since=NOW - 9 * DAY)
    found = row(report(holds=[held(since=NOW - 3 * DAY), answered, held("h3", state="closed")]), "holds")
    assert (found["opened"], found["answered"], found["gone"], found["open"], found["oldest"]) == (1, 1, 1, 1, 3)


def test_a_hold_that_was_opened_and_answered_after_the_window_is_in_no_row() -> None:
    later = NOW + DAY
    after = held("h2", rule="guard:day", state="answered", since=later, answered_at=later)
    table = report(holds=[held(), after]).table("holds")
    assert (len(table.rows), table.n) == (1, 1)


def test_the_three_approval_rates_differ() -> None:
    good = returned(reviews=(review(value="1.00"), review(value="1.00"), review("DECLINED", value="8.00")))
    better = returned(process_id="retp_2", reviews=(review(value="10.00"),))
    found = row(report(good, better), "inspections")
    assert (found["by_unit"], found["by_return"], found["by_value"]) == (money("0.75"), money("0.5"), money("0.6"))


def test_a_unit_of_a_status_that_is_not_known_is_not_counted_as_inspected() -> None:
    found = report(returned(reviews=(review(), review("DECLINED"), review("MELTED"))))
    for table in ("returns", "return_days"):
        counts = [(it["inspected"], it["unknown_status"]) for it in rows(found, table)]
        assert tuple(map(sum, zip(*counts, strict=True))) == (2, 1), table
    inspections = row(found, "inspections")
    assert (inspections["approved"], inspections["declined"], inspections["unknown_status"]) == (1, 1, 1)
    assert found.table("inspections").n == 2
    known = report(returned(reviews=(review(),)))
    assert "Units of unknown status" not in report_html(known)
    assert "Units of unknown status" in report_html(found)


# Times.


@pytest.mark.parametrize(
    ("values", "middle", "ninety"), [("1", "1", "1"), ("1 2", "1.5", "2"), ("1 2 3 4 5 6 7 8 9 10", "5.5", "9")]
)
def test_median_and_p90(values: str, middle: str, ninety: str) -> None:
    took = {f"retp_{n}": DAY * int(days) for n, days in enumerate(values.split())}
    parts = [returned(process_id=name, started_at=PAID_AT - span) for name, span in took.items()]
    found = spans(*parts, effects=[effect(name, process_id=name) for name in took])["start to payment"]
    assert (found["median"], found["p90"]) == (money(middle), money(ninety))


@given(st.lists(st.decimals(0, 100, places=1), min_size=1, max_size=50).map(sorted))
def test_nine_of_ten_do_not_exceed_p90_and_fewer_the_one_before_it(values: list[Decimal]) -> None:
    at_most = sum(each <= p90(values) for each in values)
    assert 10 * at_most >= 9 * len(values)
    assert 10 * sum(each < p90(values) for each in values) < 9 * len(values)


def spans(*parts: ReturnParts, **more: Any) -> dict[str, dict[str, Any]]:
    return {it["span"]: it for it in rows(report(*parts, **more), "times")}


def test_times_are_to_the_first_refund_of_the_window_and_what_is_not_known_is_counted() -> None:
    parts = returned(
        reviews=(review(at=PAID_AT - DAY), review(at=PAID_AT + DAY)), arrived_at=PAID_AT - 3 * DAY, status="COMPLETED"
    )
    unknown = returned(process_id="retp_2")
    later = effect("i2", closed_at=PAID_AT + timedelta(hours=1))
    found = spans(parts, unknown, effects=[later, effect(), effect("i3", process_id="retp_2")], promise_days=2)
    three = found["arrival to payment"]
    assert (three["n"], three["median"], three["unknown"], three["over"]) == (1, money("3"), 1, 1)
    assert found["inspection to payment"]["median"] == money("1")
    assert found["arrival to inspection"]["worst"] == money("2")
    assert found["start to payment"]["n"] == 2


def test_a_return_paid_before_its_inspection_has_no_such_time() -> None:
    found = spans(returned(reviews=(review(at=PAID_AT + DAY),)), effects=[effect()])
    assert (found["inspection to payment"]["n"], found["inspection to payment"]["unknown"]) == (0, 1)


@pytest.mark.parametrize(
    ("waited", "late", "warned"), [(11.9, 0, 0), (12, 0, 1), (14, 0, 1), (14.01, 1, 0), (40, 1, 0)]
)
def test_a_breach_of_the_14_days_is_warned_of_at_12(waited: float, late: int, warned: int) -> None:
    parts = returned(moved=True, moved_at=NOW - timedelta(days=waited), started_at=NOW - timedelta(days=60))
    found = report(parts)
    counts = row(found, "fourteen_days")
    assert (counts["late"], counts["warned"]) == (late, warned)
    assert len(rows(found, "late")) == late + warned


def test_without_a_time_of_the_goods_the_clock_runs_from_the_start() -> None:
    found = row(report(returned(moved=True, started_at=NOW - 20 * DAY)), "late")
    assert (found["by"], found["days"], found["late"]) == ("start", money("20"), "late")


def test_the_clock_does_not_run_before_the_goods_move() -> None:
    table = report(returned(started_at=NOW - 60 * DAY)).table("fourteen_days")
    assert [dict(it)["late"] for it in table.records()] == [0]
    assert table.notes == ("of 1 more returns that wait the clock does not run: nobody has seen the goods move",)


def test_nothing_is_late_of_what_is_not_to_be_refunded() -> None:
    old: dict[str, Any] = {"moved": True, "started_at": NOW - 60 * DAY}
    found = report(
        returned(line(method="EXCHANGE"), process_id="r1", **old),
        returned(reviews=(review("DECLINED"),), process_id="r2", **old),
        returned(refunded=money("10.00"), process_id="r3", **old),
    )
    assert row(found, "fourteen_days")["late"] == 0


def test_what_was_paid_late_is_counted_by_when_it_was_paid() -> None:
    parts = returned(moved=True, started_at=PAID_AT - 15 * DAY, status="COMPLETED", waits=False)
    assert row(report(parts, effects=[effect()]), "fourteen_days")["paid_late"] == 1


# Beside REVER, and what the rules did.


def test_the_comparison_with_rever_is_summed_by_currency() -> None:
    one = RefundComparison("retp_1", "#1", "acme", "EUR", money("10"), money("12"), ZERO, Compared.DIFFERENT, "RUNNING")
    other = replace(one, process_id="retp_2", theirs=money("10"), seen=Compared.SAME)
    found = report(comparisons=[one, other], differing={"retp_1": "REVER shows 2 EUR more"})
    both = row(found, "reconciled")
    assert (both["ours"], both["rever"], both["difference"]) == (money("20"), money("22"), money("2"))
    assert (both["same"], both["differ"]) == (1, 1)
    assert row(found, "differing")["how"] == "REVER shows 2 EUR more"


def test_what_the_rules_did_has_a_row_for_each_rule_and_kind() -> None:
    label = effect("i2", "0.00", kind=IntentKind.LABEL, rule="label_needed", carrier="UPS/ups")
    refused = effect("i3", state=IntentState.REFUSED)
    found = report(effects=[effect(), label, refused], holds=[held()])
    told = [(it["rule"], it["what"], it["done"], it["refused"], it["held"]) for it in rows(found, "rules")]
    assert told == [
        ("guard:max_refund", "hold", 0, 0, 1),
        ("label_needed", "label", 1, 0, 0),
        ("on_item_verified", "refund", 1, 1, 0),
    ]
    assert row(found, "labels")["carrier"] == "UPS/ups"


def test_labels_cost_by_day_what_the_policy_tells_of_their_carrier() -> None:
    def label(name: str, carrier: str, **more: Any) -> Effect:
        return effect(name, "0.00", kind=IntentKind.LABEL, carrier=carrier, **more)

    labels = [
        label("i1", "UPS/ups"),
        label("i2", "UPS/ups"),
        label("i3", "DHL/dhl"),
        label("i4", "", state=IntentState.DONE_BY_HAND),
        label("i5", "UPS/ups", state=IntentState.REFUSED),
        label("i6", "UPS/ups", closed_at=PAID_AT - 10 * DAY),
    ]
    carriers = {"acme": {"UPS/ups": CarrierLimits(cost=money("5.20"), currency="EUR")}}
    told = row(report(effects=labels, carriers=carriers), "label_costs")
    assert (told["day"], told["labels"], told["untold"]) == (PAID_AT.date(), 4, 2)
    assert (told["currency"], told["cost"]) == ("EUR", money("10.40"))
    untold = report(effects=labels)
    assert (row(untold, "label_costs")["untold"], row(untold, "label_costs")["cost"]) == (4, None)
    assert any("what labels cost: not computable" in words for words in untold.not_computable)


def test_every_table_says_how_it_is_worked_out() -> None:
    files: dict[str, Any] = {"sold": {"acme": Sold()}, "rates": [Rate("EUR", "USD", money("1.1"))]}
    found = report(returned(), effects=[effect()], payouts=NO_PAYOUTS, **files)
    assert {table.figure for table in found.tables} == set(FIGURES)
    assert all(figure.formula and figure.left_out and figure.n and figure.basis.words for figure in FIGURES)
    assert len({figure.name for figure in FIGURES}) == len(FIGURES)


def test_a_return_is_linked_and_an_order_without_one_is_not() -> None:
    found = report(differing={"retp_1": "differs", "new:acme:1001": "differs"})
    page, shown = report_html(found, "https://rever.example/{process_id}"), "https://rever.example/"
    assert f'<a href="{shown}retp_1">retp_1</a>' in page
    assert "new:acme:1001" in page
    assert f"{shown}new" not in page


def test_a_page_of_many_stores_stays_small_enough_to_send() -> None:
    stores = [f"store-{n:02}" for n in range(30)]
    windows = {store: replace(WINDOW, store=store, since=NOW - 60 * DAY) for store in stores}
    effects = [
        effect(f"{store}-{n}", store=store, process_id=f"{store}-{n}", rule=f"rule {n}", closed_at=NOW - n * DAY - DAY)
        for store in stores
        for n in range(50)
    ]
    found = report(windows=windows, effects=effects)
    page = report_html(found)
    assert len(page.encode()) < LARGEST_PAGE
    assert all(f'id="{table.name}"' in page for table in found.tables if not table.lists)
    assert "more rows; the CSV and Excel files have all" in page
