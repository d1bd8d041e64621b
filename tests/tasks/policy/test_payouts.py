"""Refunds and rows of files are matched one to one, each with one outcome, and every sum comes out to the cent."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.policy.payouts import (
    Book,
    BookedRefund,
    Expected,
    Fate,
    FileRow,
    Judged,
    MatchKey,
    Outcome,
    Reconciled,
    RowKind,
    Source,
    reconcile,
    sums_of,
)

DAY = datetime(2026, 11, 3, 12, tzinfo=UTC)
END = DAY + timedelta(days=20)
CARD, BANK = "ORIGINAL_PAYMENT_METHOD", "BANK_TRANSFER"


def days(many: float) -> timedelta:
    return timedelta(days=many)


def expected(**changes: object) -> Expected:
    return replace(Expected(ends={Book.PAYOUT: END}, days=days(7)), **changes)  # type: ignore[arg-type]


def refund(amount: str = "24.00", *, order: str = "#1001", n: int = 1, **changes: object) -> BookedRefund:
    money = Decimal(amount)
    at = changes.pop("at", DAY)
    assert isinstance(at, datetime)
    made = BookedRefund(
        id=f"{order}/{n}",
        process_id=f"retp_{order}",
        order=order,
        store="acme",
        method=CARD,
        currency="EUR",
        amount=money,
        ledger=money,
        rever=money,
        paid=money,
        at=at,
        since=at - days(2),
        references=(f"{order}/{n}", f"retp_{order}"),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def row(money: str = "24.00", /, *, order: str = "1001", n: int = 1, **changes: object) -> FileRow:
    made = FileRow(
        source=Source.ADYEN,
        file="a.csv",
        number=n,
        kind=RowKind.REFUND,
        type="Refunded",
        amount=Decimal(money),
        asked=abs(Decimal(money)),
        currency="EUR",
        at=DAY + days(1),
        order=order,
        unique=f"a/{n}",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def came_back(money: str = "24.00", /, kind: RowKind = RowKind.REVERSED) -> FileRow:
    return row(money, n=9, kind=kind, amount=-Decimal(money), at=DAY + days(3))


def only(found: Reconciled) -> Judged:
    assert len(found.refunds) == 1
    return found.refunds[0]


def fates(found: Reconciled) -> list[Fate]:
    return [it.fate for it in found.rows]


def test_order_amount_and_date_are_a_probable_match_and_the_ledgers_own_id_is_a_sure_one() -> None:
    probable = only(reconcile([refund()], [row()], expected()))
    assert (probable.outcome, probable.payout.key) == (Outcome.SEEN, MatchKey.PROBABLE)
    sure = only(reconcile([refund()], [row(order="", references=("#1001/1",))], expected()))
    assert (sure.outcome, sure.payout.key) == (Outcome.SEEN, MatchKey.REFERENCE)


def test_amount_and_date_alone_match_nothing() -> None:
    found = reconcile([refund()], [row(order="")], expected())
    assert only(found).outcome is Outcome.MISSING
    assert [(it.fate, it.why) for it in found.rows] == [
        (Fate.UNEXPLAINED, "it names no order and no reference of ours")
    ]


@pytest.mark.parametrize(
    ("one", "rows", "outcome"),
    [
        (refund(), [], Outcome.MISSING),
        (refund(at=END - days(3)), [], Outcome.LATE),
        (refund(), [row("23.99")], Outcome.OTHER_AMOUNT),
        (refund(), [row("24.01")], Outcome.OTHER_AMOUNT),
        (refund(), [row("10.00", n=1), row("14.00", n=2)], Outcome.SEEN),
        (refund(paid=Decimal("10.00")), [row("10.00")], Outcome.PARTLY),
        (refund(), [row(), came_back()], Outcome.REVERSED),
        (refund(), [row(), came_back(kind=RowKind.FAILED)], Outcome.FAILED),
        (refund(), [row(kind=RowKind.FAILED, amount=Decimal(0))], Outcome.FAILED),
        (refund(), [row(kind=RowKind.FAILED, amount=Decimal(0)), row(n=2)], Outcome.SEEN),
        (refund(), [row(), came_back(), row(n=10, at=DAY + days(5))], Outcome.SEEN),
        (refund(), [came_back()], Outcome.REVERSED),
        (refund(rever=Decimal(0), paid=Decimal(0)), [row()], Outcome.MISSING),
        (refund(rever=Decimal("9.00"), paid=Decimal("9.00")), [row()], Outcome.PARTLY),
        (refund(ledger=None), [row()], Outcome.MISSING),
        (refund(method="GIFT_CARD"), [], Outcome.NOT_EXPECTED),
        (refund(method=BANK), [], Outcome.NOT_EXPECTED),
        (refund(method=BANK), [row()], Outcome.SEEN),
        (refund(by_hand=True, rever=None, paid=None), [], Outcome.NOT_EXPECTED),
        (refund(), [row(), row(source=Source.STATEMENT, n=2)], Outcome.TWICE),
    ],
)
def test_each_refund_has_one_outcome(one: BookedRefund, rows: list[FileRow], outcome: Outcome) -> None:
    assert only(reconcile([one], rows, expected())).outcome is outcome


@pytest.mark.parametrize(
    ("one", "books"),
    [
        (refund(ledger=None), (Book.LEDGER,)),
        (refund(rever=Decimal(0), paid=Decimal(0)), (Book.REVER,)),
    ],
)
def test_where_it_is_missing_is_named(one: BookedRefund, books: tuple[Book, ...]) -> None:
    assert only(reconcile([one], [row()], expected())).missing_at == books
    assert only(reconcile([one], [], expected())).missing_at == (*books, Book.PAYOUT)


def test_what_rever_advances_is_looked_for_in_its_statement() -> None:
    with_both = expected(ends={Book.PAYOUT: END, Book.STATEMENT: END})
    one = refund(method=BANK)
    assert only(reconcile([one], [], with_both)).missing_at == (Book.STATEMENT,)
    assert only(reconcile([one], [row(source=Source.STATEMENT)], with_both)).outcome is Outcome.SEEN


def test_alike_refunds_are_told_apart_by_count_and_never_matched_twice() -> None:
    alike = [refund(n=n) for n in (1, 2, 3)]
    found = reconcile(alike, [row(n=1), row(n=2)], expected())
    assert Counter(it.outcome for it in found.refunds) == {Outcome.SEEN: 2, Outcome.MISSING: 1}
    found = reconcile(alike[:1], [row(n=1), row(n=2)], expected())
    assert Counter(fates(found)) == {Fate.MATCHED: 1, Fate.UNEXPLAINED: 1}
    assert found.rows[1].why == "each of the 1 refunds of this order has its row already"


def test_a_row_of_the_same_return_goes_to_the_refund_of_its_amount() -> None:
    both = [refund("24.00", n=1), refund("8.00", n=2)]
    found = reconcile(both, [row("8.00", order="", references=("retp_#1001",))], expected())
    assert [it.outcome for it in found.refunds] == [Outcome.MISSING, Outcome.SEEN]


def test_what_fits_in_two_ways_is_left_to_a_person() -> None:
    found = reconcile([refund("24.00", n=1), refund("8.00", n=2)], [row("23.00", n=1), row("7.00", n=2)], expected())
    assert {it.outcome for it in found.refunds} == {Outcome.MISSING}
    assert set(fates(found)) == {Fate.UNEXPLAINED}


def test_legs_that_come_to_the_amount_in_two_ways_are_left_to_a_person() -> None:
    found = reconcile([refund()], [row("10.00", n=1), row("14.00", n=2), row("14.00", n=3)], expected())
    assert only(found).outcome is Outcome.MISSING
    assert set(fates(found)) == {Fate.UNEXPLAINED}


def test_no_more_comes_back_than_went_out() -> None:
    again = replace(came_back(), unique="again")
    found = reconcile([refund()], [row(), came_back(), again], expected())
    assert only(found).outcome is Outcome.REVERSED
    assert fates(found) == [Fate.MATCHED, Fate.MATCHED, Fate.UNEXPLAINED]


def test_orders_of_one_name_in_two_stores_are_matched_by_reference_alone() -> None:
    both = [refund(), refund(n=2, store="nordic")]
    found = reconcile(both, [row()], expected())
    assert found.rows[0].why == "several stores have an order of this name; name the store"
    assert reconcile(both, [row(references=("#1001/2",))], expected()).refunds[1].outcome is Outcome.SEEN


def test_another_currency_is_another_refund() -> None:
    found = reconcile([refund()], [row(currency="SEK")], expected())
    assert only(found).outcome is Outcome.MISSING
    assert found.rows[0].why == "the order's refunds are in EUR"


def test_a_refund_before_the_window_only_explains_rows() -> None:
    earlier = refund(at=DAY - days(5), wanted=False)
    assert reconcile([earlier], [], expected()).refunds == ()
    assert only(reconcile([earlier], [row()], expected())).outcome is Outcome.SEEN


def test_a_row_that_a_second_file_repeats_counts_once() -> None:
    found = reconcile([refund(), refund(n=2)], [row(), row(file="b.csv")], expected())
    assert fates(found) == [Fate.MATCHED, Fate.REPEATED]
    assert Counter(it.outcome for it in found.refunds) == {Outcome.SEEN: 1, Outcome.MISSING: 1}


def test_rows_outside_of_a_window_that_was_asked_for_are_counted_apart() -> None:
    found = reconcile([], [row(), row(n=2, at=DAY + days(9))], expected(until=DAY + days(5)))
    assert fates(found) == [Fate.UNEXPLAINED, Fate.OUTSIDE]


cents = st.sampled_from(["5.00", "8.00", "13.00", "24.00"])
orders = st.sampled_from(["1", "2", "3"])
times = st.integers(0, 25).map(lambda day: DAY + days(day))
currencies = st.sampled_from(["EUR", "EUR", "SEK"])


@st.composite
def books(draw: st.DrawFn) -> tuple[list[BookedRefund], list[FileRow]]:
    refunds = [
        refund(
            draw(cents),
            order=draw(orders),
            n=n,
            at=draw(times),
            currency=draw(currencies),
            method=draw(st.sampled_from([CARD, BANK, "GIFT_CARD"])),
            store=draw(st.sampled_from(["acme", "acme", "acme", "nordic"])),
            wanted=draw(st.booleans()),
        )
        for n in range(draw(st.integers(0, 7)))
    ]
    rows = []
    for n in range(draw(st.integers(0, 9))):
        kind, amount = draw(st.sampled_from(RowKind)), draw(cents)
        went = {RowKind.REFUND: 1, RowKind.OTHER: draw(st.sampled_from([1, -1]))}.get(kind, -draw(st.integers(0, 1)))
        rows.append(
            row(
                amount,
                order=draw(st.one_of(orders, st.just(""))),
                n=n,
                kind=kind,
                amount=went * Decimal(amount),
                currency=draw(currencies),
                at=draw(times),
                source=draw(st.sampled_from([Source.ADYEN, Source.STRIPE, Source.STATEMENT])),
                references=draw(st.sampled_from([(), (), ("1/0",), ("retp_2",)])),
                link=draw(st.sampled_from(["", "x"])),
                unique=f"u{draw(st.integers(0, 20))}",
            )
        )
    return refunds, rows


@settings(max_examples=300)
@given(books(), st.booleans())
def test_every_cent_of_files_and_ledger_is_in_one_sum(
    given_: tuple[list[BookedRefund], list[FileRow]], bounded: bool
) -> None:
    refunds, rows = given_
    found = reconcile(refunds, rows, expected(until=DAY + days(10) if bounded else None))
    assert [it.row for it in found.rows] == rows
    matched = [each for it in found.refunds for each in it.rows]
    taken = Counter(id(each) for each in matched)
    assert not taken or max(taken.values()) == 1
    assert set(taken) == {id(it.row) for it in found.rows if it.fate is Fate.MATCHED}
    judged = Counter(it.refund.id for it in found.refunds)
    assert all(judged[it.id] == 1 for it in refunds if it.wanted)
    assert all(
        it.row.currency == each.refund.currency for each in found.refunds for it in found.rows if it.row in each.rows
    )
    sums = sums_of(found)
    for currency in ("EUR", "SEK"):
        mine = sums.get(currency)
        file = sum((it.amount for it in rows if it.currency == currency), Decimal(0))
        ledger = sum((it.refund.ledger or 0 for it in found.refunds if it.refund.currency == currency), Decimal(0))
        if mine is None:
            assert file == ledger == 0
            continue
        assert mine.file == file == mine.matched + mine.unexplained + mine.outside + mine.repeated + mine.other
        assert mine.ledger == ledger == mine.ledger_matched + mine.ledger_unmatched
        of_refunds = [it for it in found.refunds if it.refund.currency == currency]
        assert mine.matched == sum((it.payout.amount + it.statement.amount for it in of_refunds), Decimal(0))
    for it in found.refunds:
        if it.outcome is Outcome.SEEN and it.rows:
            assert {each.amount for each in (it.payout, it.statement) if each.rows} == {it.refund.amount}


@settings(max_examples=100)
@given(st.lists(times, max_size=8), st.lists(times, max_size=8))
def test_as_many_alike_refunds_as_rows_are_matched(refunded: list[datetime], booked: list[datetime]) -> None:
    refunds = [refund(n=n, at=at, since=DAY - days(60)) for n, at in enumerate(refunded)]
    rows = [row(n=n, at=at) for n, at in enumerate(booked)]
    found = reconcile(refunds, rows, expected())
    assert fates(found).count(Fate.MATCHED) == min(len(refunds), len(rows))
