"""Each way in which a return stands still: from which moment, by whose word, for whom it waits, and what comes next."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from rever_api.models import ReturnProcess
from tasks.policy.record import IntentKind, IntentState, ParcelChange, Record
from tasks.policy.stale import KnownBy, StaleReturn, StaleStage, WaitsFor, coming, stale, stale_hold
from tasks.policy.store import RefundsBy, StaleLimits, StoreRules
from tests.tasks.policy.factories import (
    EXCHANGE,
    NOW,
    STARTED,
    approved,
    hold,
    intent,
    line,
    process,
    record,
    refund,
    reviews,
    rules,
)
from tests.tasks.policy.rule_texts import rules_of

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


def change(status: str, days: float, *, parcel: int = 1, n: int = 1, told: bool = False) -> ParcelChange:
    at = NOW - days * DAY
    return ParcelChange(parcel, n, "", status, NOW if told else at, at if told else None)


def unused(**fields: Any) -> ReturnProcess:
    return process(logistics=("CREATED",), return_status="STARTED", **fields)


def found(shown: ReturnProcess, known: Record | None = None, by: StoreRules | None = None) -> list[StaleReturn]:
    return list(stale(shown, by or rules(), known or record(), NOW))


def old(days: float, **fields: Any) -> dict[str, Any]:
    return {"started_at": NOW - days * DAY, **fields}


ON_ITS_WAY = refund("10.00", missing="10.00").model_copy(update={"refunded_at": None})

Made = Callable[[timedelta], tuple[ReturnProcess, Record]]
"""A return that has waited at one stage for so long."""

STAGES: list[tuple[StaleStage, WaitsFor, KnownBy, int, Made]] = [
    (
        StaleStage.NO_LABEL, WaitsFor.US, KnownBy.START, 2,
        lambda ago: (process(logistics=(), return_status="STARTED", started_at=NOW - ago), record()),
    ),
    (
        StaleStage.NOT_SENT, WaitsFor.SHOPPER, KnownBy.START, 21,
        lambda ago: (process(logistics=(), return_status="STARTED", method="IN_STORE", started_at=NOW - ago), record()),
    ),
    (
        StaleStage.LABEL_UNUSED, WaitsFor.SHOPPER, KnownBy.SEEN, 21,
        lambda ago: (unused(**old(90)), record(parcels=(change("CREATED", ago / DAY),))),
    ),
    (
        StaleStage.PARCEL_STOPPED, WaitsFor.CARRIER, KnownBy.REVER, 10,
        lambda ago: (
            process(logistics=("COLLECTED",), return_status="COLLECTED", **old(90)),
            record(parcels=(change("COLLECTED", ago / DAY, told=True),)),
        ),
    ),
    (
        StaleStage.NOT_INSPECTED, WaitsFor.WAREHOUSE, KnownBy.SEEN, 5,
        lambda ago: (process(**old(90)), record(parcels=(change("IN_WAREHOUSE", ago / DAY),))),
    ),
    (
        StaleStage.NOT_PAID, WaitsFor.US, KnownBy.REVER, 3,
        lambda ago: (process(reviews=reviews("retl_1", "APPROVED", at=NOW - ago), **old(90)), record()),
    ),
    (
        StaleStage.ON_ITS_WAY, WaitsFor.REVER, KnownBy.LEDGER, 5,
        lambda ago: (
            process(reviews=approved(), refunds=[ON_ITS_WAY], status="COMPLETED", **old(90)),
            record(intent(sent_at=NOW - ago)),
        ),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("stage", "who", "known_by", "days", "made"), STAGES, ids=[str(each[0]) for each in STAGES])
def test_each_stage_is_stale_from_its_limit_on_and_not_a_second_sooner(
    stage: StaleStage, who: WaitsFor, known_by: KnownBy, days: int, made: Made
) -> None:
    limit = days * DAY
    assert found(*made(limit - SECOND)) == []
    (it,) = found(*made(limit))
    assert (it.stage, it.waits_for, it.known_by, it.over) == (stage, who, known_by, 0)
    assert abs(it.since - (NOW - limit)) < SECOND
    (it,) = found(*made(limit + 4 * DAY - SECOND))
    assert it.over == 3


def test_a_hold_is_stale_from_its_limit_on() -> None:
    def at(ago: timedelta) -> StaleReturn | None:
        return stale_hold("retp_1", "acme", "#1001", "hold-1", NOW - ago, StaleLimits(), NOW)

    assert at(2 * DAY - SECOND) is None
    it = at(5 * DAY)
    assert it is not None
    assert (it.stage, it.waits_for, it.over, it.about) == (StaleStage.HOLD_OPEN, WaitsFor.PERSON, 3, "hold-1")


def test_the_limits_are_the_stores() -> None:
    shown = process(**old(90))
    known = record(parcels=(change("IN_WAREHOUSE", 4),))
    assert found(shown, known) == []
    assert [it.over for it in found(shown, known, rules(stale={"not_inspected_days": 1}))] == [3]


def test_a_label_counts_from_when_the_desk_made_it_where_that_is_before_it_was_seen() -> None:
    label = intent(IntentKind.LABEL, sent_at=NOW - 30 * DAY)
    (it,) = found(unused(**old(90)), record(label, parcels=(change("CREATED", 25),)))
    assert (it.known_by, it.over) == (KnownBy.LEDGER, 9)
    back = replace(change("CREATED", 22, n=2), before="COLLECTED")
    (it,) = found(unused(**old(90)), record(label, parcels=(change("COLLECTED", 25), back)))
    assert (it.known_by, it.over) == (KnownBy.SEEN, 1)


def test_a_second_label_counts_from_when_it_was_made_though_only_the_first_was_seen() -> None:
    label = intent(IntentKind.LABEL, sent_at=NOW - 10 * DAY)
    for known in ((change("CREATED", 40),), (change("COLLECTED", 40), change("CREATED", 30, n=2))):
        assert found(unused(**old(90)), record(label, parcels=known)) == []


def test_a_part_inspected_return_waits_for_the_warehouse_since_its_last_review() -> None:
    shown = process(line(quantity=2), reviews=reviews("retl_1", "DECLINED", at=NOW - 6 * DAY), **old(90))
    (it,) = found(shown, record(parcels=(change("IN_WAREHOUSE", 30),)))
    assert (it.stage, it.known_by, it.over) == (StaleStage.NOT_INSPECTED, KnownBy.REVER, 1)


def test_where_nobody_saw_it_the_days_count_from_the_start() -> None:
    for shown in (process(**old(40)), unused(**old(40)), process(logistics=("COLLECTED",), **old(40))):
        (it,) = found(shown)
        assert (it.known_by, it.since) == (KnownBy.START, NOW - 40 * DAY)
    assert found(process(started_at=None)) == [], "REVER does not tell when it began"


@pytest.mark.parametrize(
    ("shown", "known"),
    [
        (process(reviews=reviews("retl_1", "DECLINED", at=NOW - 30 * DAY), **old(90)), record()),
        (process(status="CANCELED", **old(90)), record()),
        (process(reviews=approved(), refunds=[refund()], status="COMPLETED", **old(90)), record(intent())),
        (process(reviews=reviews("retl_1", "APPROVED", at=NOW - 30 * DAY)), record(holds=(hold(),))),
        (process(reviews=reviews("retl_1", "APPROVED", at=NOW - 30 * DAY)), record(intent(state=IntentState.UNKNOWN))),
        (process(logistics=(), return_status="STARTED", **old(90)), record(holds=(hold("no_carrier", label=True),))),
    ],
    ids=["declined", "called off", "paid", "held", "outcome open", "label held"],
)
def test_what_waits_for_nothing_or_for_the_answer_to_a_hold_is_left_out(shown: ReturnProcess, known: Record) -> None:
    assert found(shown, known) == []


def test_an_exchange_that_waits_for_its_other_line_waits_for_the_warehouse_alone() -> None:
    lines = line("retl_1", method=EXCHANGE, variant="v1"), line("retl_2", method=EXCHANGE, variant="v2")
    shown = process(*lines, reviews=reviews("retl_1", "APPROVED", at=NOW - 30 * DAY), **old(90))
    assert [it.waits_for for it in found(shown)] == [WaitsFor.WAREHOUSE]


def test_where_rever_pays_it_has_to_act_and_where_nobody_said_a_person_has() -> None:
    shown = process(reviews=reviews("retl_1", "APPROVED", at=NOW - 9 * DAY))
    assert [it.waits_for for it in found(shown, by=rules(RefundsBy.REVER))] == [WaitsFor.REVER]
    assert [it.waits_for for it in found(shown, by=rules(RefundsBy.UNSTATED))] == [WaitsFor.PERSON]


def test_one_that_was_paid_at_its_start_may_stand_still_in_two_ways() -> None:
    shown = process(logistics=("COLLECTED",), return_status="COLLECTED", refunds=[ON_ITS_WAY], **old(30))
    known = record(intent(sent_at=NOW - 6 * DAY))
    assert [it.stage for it in found(shown, known)] == [StaleStage.PARCEL_STOPPED, StaleStage.ON_ITS_WAY]


def test_a_read_that_does_not_tell_of_parcels_says_not_that_there_is_no_label() -> None:
    shown = process(logistics=None, return_status="STARTED", **old(90))
    assert [it.stage for it in found(shown)] == [StaleStage.NOT_SENT]
    made = record(intent(IntentKind.LABEL, sent_at=NOW - 30 * DAY))
    assert [it.stage for it in found(shown, made)] == [StaleStage.LABEL_UNUSED]
    seen = record(parcels=(change("COLLECTED", 30),))
    assert [it.stage for it in found(shown, seen)] == [StaleStage.PARCEL_STOPPED]


CALLED_OFF = """
rules:
- name: not sent
  when: {scanned: {is: false}, days_since_start: {over: 30}}
  then: {cancel: {why: not sent within 30 days}}
"""


@pytest.mark.parametrize(("days", "after"), [(40, 0), (24, 7), (3, 28)])
def test_the_rule_that_will_call_it_off_is_named_with_its_day(days: int, after: int) -> None:
    by = replace(rules(), merchant_rules=rules_of(CALLED_OFF))
    comes = coming(unused(**old(days)), by, record(), NOW)
    assert (comes.called_off_by, comes.called_off_on) == ("not sent", (NOW + after * DAY).date())


def test_what_no_rule_calls_off_waits_as_the_rules_say() -> None:
    by = replace(rules(), merchant_rules=rules_of(CALLED_OFF))
    for shown, who in ((process(started_at=STARTED), by), (unused(**old(40)), rules())):
        comes = coming(shown, who, record(), NOW)
        assert comes.called_off_on is None
        assert comes.words
    unserved = process(logistics=(), return_status="STARTED", country="NZ", **old(24))
    assert coming(unserved, by, record(), NOW).called_off_by == "not sent", "a label's hold keeps nothing from that"
    held = coming(unused(**old(40)), by, record(holds=(hold(),)), NOW)
    assert held.called_off_on is None, "the answer to the hold comes first"
