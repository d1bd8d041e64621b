"""Prefect events: what they say, that they are taken once, and that nothing depends on them."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from tasks.in_prefect.events import (
    ALONE,
    EFFECTS_STOPPED,
    FEW,
    GUARD_TRIPPED,
    HOLD_OPENED,
    HOLDS_OPENED,
    NOTICE,
    TOGETHER,
    hold_events,
    parcel_events,
    pause_events,
    policy_event,
    send,
    switch_event,
)
from tasks.in_prefect.ui_links import UiLinks
from tasks.ledger import HoldRow, Pause, StandingParcel, Switch
from tasks.policy.order_returns import OrderKey
from tasks.policy.record import HoldKind
from tests.events import events
from tests.samples import NEW_HOLD as HOLD


def test_a_guard_that_tripped_is_two_events_and_another_hold_one() -> None:
    assert [event.event for event in hold_events([HOLD])] == [HOLD_OPENED, GUARD_TRIPPED]
    assert [event.event for event in hold_events([replace(HOLD, kind=HoldKind.LABEL)])] == [HOLD_OPENED]


def test_a_hold_is_told_in_one_line_about_the_return() -> None:
    event = hold_events([HOLD], flow_run_id="f1", back_office="https://rever.example/{process_id}")[0]
    sentence = "acme: order #1001 is held about 80.00 EUR (guard:max_refund): the refund of 80 EUR is above the most"
    assert event.payload["sentence"] == sentence
    assert event.payload["subject"] == "hold of order #1001 at acme"
    assert event.resource.id == "rever.return.retp_1"
    assert event.payload["link"] == "https://rever.example/retp_1"
    assert [related.id for related in event.related] == ["prefect.flow-run.f1"]


def test_a_return_whose_order_has_no_name_is_told_by_its_id() -> None:
    assert hold_events([replace(HOLD, order_name="")])[0].payload["subject"] == "hold of return retp_1 at acme"


def many(number: int, store: str = "acme", **values: object) -> list[HoldRow]:
    """So many holds of a store, 10 EUR each."""
    each = replace(HOLD, store=store, kind=HoldKind.LABEL, rule="no_carrier", amount=Decimal("10.00"), **values)  # type: ignore[arg-type]
    return [replace(each, hold_id=f"{store}-{at}", process_id=f"{store}-{at}") for at in range(number)]


@pytest.mark.parametrize(
    ("opened", "before", "alone"), [(FEW, 0, True), (FEW + 1, 0, False), (1, FEW - 1, True), (1, FEW, False)]
)
def test_a_few_holds_of_a_store_are_told_alone_and_more_together(opened: int, before: int, alone: bool) -> None:
    """Those that other runs opened a little earlier count too: a storm may come as many small runs."""
    recent = many(opened + before)
    told = hold_events(recent[:opened], recent)
    assert [event.resource[NOTICE] for event in told if event.event == HOLD_OPENED] == [
        ALONE if alone else TOGETHER
    ] * opened
    assert len([event for event in told if event.event == HOLDS_OPENED]) == (not alone)


def test_many_holds_are_told_in_one_sentence_with_their_number_sum_causes_and_page() -> None:
    links = UiLinks("https://desk.example/v2", "id-1", pages={"acme": UUID(int=7)})
    told = hold_events([*many(4), replace(HOLD, hold_id="h9"), *many(1, "nordic")], links=links)
    (event,) = [each for each in told if each.event == HOLDS_OPENED]
    sentence = (
        "acme: 5 holds opened lately wait for a person, 120.00 EUR in all (4 by no_carrier, 1 by guard:max_refund)"
    )
    assert event.payload["sentence"] == sentence
    assert event.payload["subject"] == "5 holds at acme"
    assert event.payload["page"] == f"https://desk.example/v2/artifacts/artifact/{UUID(int=7)}#page"
    assert event.resource.id == "rever.store.acme"
    assert [each.resource[NOTICE] for each in told if each.resource["rever.store"] == "nordic"] == [ALONE]


def test_many_holds_told_twice_are_one_event_and_a_further_one_makes_another() -> None:
    ids = {
        each.id
        for holds in (many(5), many(5)[::-1], many(6))
        for each in hold_events(holds)
        if each.event == HOLDS_OPENED
    }
    assert len(ids) == 2


def test_a_hold_is_told_with_the_form_of_each_answer_where_there_is_one() -> None:
    links = UiLinks("https://desk.example/v2", "id-1", pages={"acme": UUID(int=7)})
    payload = hold_events([HOLD], links=links)[0].payload
    assert payload["forms"] == links.answers(HOLD) != {}
    assert payload["page"] == f"https://desk.example/v2/artifacts/artifact/{UUID(int=7)}#page"
    without = hold_events([HOLD])[0].payload
    assert (without["forms"], without["page"]) == ({}, "")


def test_the_same_hold_told_twice_is_one_event_and_changed_it_is_another() -> None:
    assert hold_events([HOLD])[0].id == hold_events([HOLD])[0].id
    ids = {
        event.id
        for hold in (HOLD, replace(HOLD, version=2), replace(HOLD, hold_id="h2"))
        for event in hold_events([hold])
    }
    assert len(ids) == 6


async def test_without_prefect_it_is_said_and_nothing_breaks(caplog: pytest.LogCaptureFixture) -> None:
    began = time.monotonic()
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        assert not await send(hold_events([HOLD]), timeout_s=0.5)
    assert time.monotonic() - began < 3
    assert "2 events could not be sent" in caplog.text


@pytest.mark.prefect
async def test_the_server_has_what_was_sent_and_has_it_once(prefect_server: None) -> None:
    stopped = switch_event(Switch(stopped=True, since=datetime.now(UTC), by="olga", why="wrong price list"))
    hold = hold_events([replace(HOLD, hold_id=stopped.id.hex)])
    assert await send([stopped, *hold])
    assert await send(hold)
    (told,) = await events(EFFECTS_STOPPED, lambda event: event["id"] == str(stopped.id), at_least=1)
    assert told["payload"]["sentence"] == "All effects were stopped by olga: wrong price list"
    assert told["resource"]["prefect.resource.id"] == "rever.desk"
    last = hold_events([replace(HOLD, hold_id=f"{stopped.id.hex}-last", kind=HoldKind.LABEL)])
    assert await send(last)
    ours = await events(HOLD_OPENED, lambda event: stopped.id.hex in event["payload"]["hold_id"], at_least=2)
    assert len(ours) == 2


def test_a_pause_is_one_event_of_its_store_with_the_command_that_ends_it() -> None:
    until = datetime(2026, 11, 23, 12, 4, tzinfo=UTC)
    pause = Pause("acme", until - timedelta(minutes=4), until)
    (event,) = pause_events([pause], flow_run_id="f1")
    assert (event.event, event.resource.id) == ("rever.store.paused", "rever.store.acme")
    assert "`rever-returns resume acme --by NAME` ends the pause" in event.payload["sentence"]
    assert event.payload["until"] == "2026-11-23T12:04:00+00:00"
    (told,) = pause_events([pause], zones={"acme": ZoneInfo("Europe/Madrid")})
    assert "nothing is sent there until 2026-11-23 13:04 CET" in told.payload["sentence"]
    assert told.id == event.id == pause_events([replace(pause, over=True)])[0].id
    assert event.id != pause_events([replace(pause, until=until + timedelta(minutes=4))])[0].id


def test_a_policy_file_that_is_wrong_is_one_event_of_each_run_with_every_problem() -> None:
    now = datetime(2026, 11, 23, 12, 4, tzinfo=UTC)
    problems = ("policy.yaml, line 2: a is wrong.", "policy.yaml, line 9: b\nis wrong.")
    event = policy_event(problems, now, flow_run_id="f1")
    assert (event.event, event.resource.id) == ("rever.policy.refused", "rever.desk")
    assert [related.id for related in event.related] == ["prefect.flow-run.f1"]
    assert str(event.payload["sentence"]).endswith("policy.yaml, line 2: a is wrong. policy.yaml, line 9: b is wrong.")
    assert len(event.payload["problems"]) == 2
    assert event.id == policy_event(problems, now + timedelta(seconds=1), flow_run_id="f1").id
    assert event.id != policy_event(problems, now, flow_run_id="f2").id
    left_out = policy_event(problems, now, flow_run_id="f1", stores=("nordic",))
    assert left_out.payload["subject"] == "the policy file cannot be used at nordic"
    assert str(left_out.payload["sentence"]).startswith("Nothing is done at nordic, and no default rules stand in: ")


def test_no_word_from_outside_is_a_link_a_mention_or_a_tag_in_a_notice() -> None:
    nasty = "<!channel> <http://evil.example|x> [y](https://evil.example) \x1b[2J\u202e"
    bad = replace(HOLD, process_id=nasty, store=nasty, order_name=nasty, why=nasty)
    payload = hold_events([bad], back_office="https://rever.example/{process_id}")[0].payload
    for name in ("sentence", "why", "store", "order", "process_id"):
        assert str(payload[name]).isprintable()
        assert not set("<>[]") & set(str(payload[name]))
        assert "://" not in str(payload[name])
    assert str(payload["link"]).startswith("https://rever.example/%3C%21channel")


def test_a_hold_of_an_order_whose_return_is_to_be_made_leads_to_no_page_of_a_return() -> None:
    asked = replace(HOLD, process_id=OrderKey("acme", "#1001").process_id)
    assert hold_events([asked], back_office="https://rever.example/{process_id}")[0].payload["link"] == ""


def test_a_parcel_that_stopped_is_one_event_for_each_stop_whoever_tells_it() -> None:
    now = datetime(2026, 11, 29, 12, tzinfo=UTC)
    stopped = StandingParcel("retp_1", 1, "acme", "#1001", "DHL", "COLLECTED", now - timedelta(days=11), 2)
    (event,) = parcel_events([stopped], now, flow_run_id="f1")
    assert event.event == "rever.parcel.stopped"
    assert "order #1001: parcel 1 (DHL) has been collected since" in event.payload["sentence"]
    assert event.payload["sentence"].endswith("11 days")
    (told,) = parcel_events([stopped], now, zones={"acme": ZoneInfo("Europe/Madrid")})
    assert "since 2026-11-18 13:00 CET, 11 days" in told.payload["sentence"]
    assert event.id == parcel_events([stopped], now + timedelta(hours=1))[0].id
    assert event.id != parcel_events([replace(stopped, n=3)], now)[0].id
