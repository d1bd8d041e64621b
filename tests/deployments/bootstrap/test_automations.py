"""The automations know every state in which a run can be left by a worker that was killed."""

import inspect
import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from uuid import UUID

import pytest
from prefect import states
from prefect.blocks.notifications import CustomWebhookNotificationBlock, SlackWebhook
from prefect.client.schemas.objects import State, StateType
from prefect.events import Event
from prefect.events.schemas.automations import AutomationCore, EventTrigger
from prefect.events.schemas.events import ResourceSpecification
from prefect.server.utilities.user_templates import render_user_template, validate_user_template
from pydantic import SecretStr

from deployments.bootstrap.automations import (
    BODY,
    SUBJECT,
    dead_runs,
    notice_automations,
    notices_block,
    runs_not_begun,
)
from deployments.bootstrap.objects import BootstrapError
from tasks.in_prefect.events import hold_events, pause_events, stale_events, switch_event
from tasks.in_prefect.ui_links import UiLinks
from tasks.ledger import Pause, Switch
from tasks.policy.stale import KnownBy, StaleReturn, StaleStage, WaitsFor
from tests.samples import NEW_HOLD as HOLD


def names_of(kind: StateType) -> set[str]:
    """The names under which this Prefect makes states of a type."""
    made: list[State] = []
    for name, make in inspect.getmembers(states, inspect.isfunction):
        if name[0].isupper() and not [
            each
            for each in inspect.signature(make).parameters.values()
            if each.default is each.empty and each.kind is each.POSITIONAL_OR_KEYWORD
        ]:
            made.append(make())
    return {str(state.name) for state in made if state.type is kind}


def heard(automation: AutomationCore) -> set[str]:
    """The names of the states that start its clock."""
    assert isinstance(automation.trigger, EventTrigger)
    return {event.rpartition(".")[2] for event in automation.trigger.after} - {"heartbeat"}


@pytest.mark.parametrize(
    ("automation", "kind"), [(runs_not_begun(), StateType.PENDING), (dead_runs(), StateType.RUNNING)]
)
def test_each_name_of_the_state_is_heard(automation: AutomationCore, kind: StateType) -> None:
    names = names_of(kind)
    assert len(names) > 1
    assert heard(automation) == names


SLACK = "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"


@pytest.mark.parametrize("url", [SLACK, "mailto://user:password@example.com", "json://127.0.0.1:9/path"])
def test_what_apprise_knows_goes_its_way(url: str) -> None:
    block = notices_block(SecretStr(url))
    assert isinstance(block, SlackWebhook)
    assert block.url.get_secret_value() == url


def test_any_other_http_address_gets_json_and_is_kept_as_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        block = notices_block(SecretStr("https://example.com/only-we-know"))
    assert isinstance(block, CustomWebhookNotificationBlock)
    sent = block._build_request_args("the body", "the subject")
    assert (sent["method"], sent["url"]) == ("POST", "https://example.com/only-we-know")
    assert sent["json"] == {"text": "the subject\nthe body", "subject": "the subject", "body": "the body"}
    assert "only-we-know" not in block.model_dump_json() + repr(block) + caplog.text


@pytest.mark.parametrize("url", ["nonsense", "ftp://example.com/secret-path", "https://"])
def test_what_is_no_address_is_said_to_be_none_without_repeating_it(url: str) -> None:
    with pytest.raises(BootstrapError, match="REVER_NOTICES_URL is not an address") as found:
        notices_block(SecretStr(url))
    assert "secret-path" not in str(found.value)


NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


async def body(**payload: object) -> str:
    event = SimpleNamespace(payload=payload, event="rever.hold.opened", occurred=NOON, resource={})
    return await render_user_template(BODY, {"event": event})


async def test_a_notice_of_a_hold_says_what_each_answer_does_with_the_money() -> None:
    validate_user_template(BODY)
    does = "pays what is due; the shopper gets 106.29 EUR more, 201.95 EUR in all"
    text = await body(sentence="acme: return p1 is held", process_id="p1", answers={"approve": does, "drop": "closes"})
    assert f"approve: {does}\ndrop: closes\nWhy: rever-returns why p1\n" in text


async def test_a_notice_of_something_else_names_no_answers() -> None:
    text = await body(sentence="All effects were stopped by kim")
    assert text == (
        "All effects were stopped by kim\n\nAll that waits for a person: rever-returns holds\n"
        "rever.hold.opened at 2026-11-23 12:00 UTC"
    )


async def test_the_sentence_stands_once_in_a_notice_and_the_subject_says_what_it_is_about() -> None:
    """A hold, a pause, the switch, and a run that failed."""
    validate_user_template(SUBJECT)
    hold = hold_events([HOLD], links=UiLinks("https://desk.example", "id-1"))[0]
    pause = pause_events([Pause("acme", NOON, NOON + timedelta(minutes=1))])[0]
    for event in (hold, pause, switch_event(Switch(stopped=True, since=NOON, by="kim", why="wrong price list"))):
        subject, text = [await render_user_template(each, {"event": event}) for each in (SUBJECT, BODY)]
        assert (subject + text).count(str(event.payload["sentence"])) == 1
        assert subject == f"rever-returns: {event.payload['subject']}"
    subject, text = [await render_user_template(each, {"event": hold}) for each in (SUBJECT, BODY)]
    assert subject == "rever-returns: hold of order #1001 at acme"
    assert all(f"{answer}: " in text and form in text for answer, form in hold.payload["forms"].items())
    state = {"name": "reconcile acme", "state-name": "Failed", "state-message": "REVER refuses the key"}
    of_run = {f"prefect.{'resource.' if name == 'name' else ''}{name}": value for name, value in state.items()}
    run = SimpleNamespace(payload={}, event="prefect.flow-run.Failed", occurred=NOON, resource=of_run)
    subject, text = [await render_user_template(each, {"event": run}) for each in (SUBJECT, BODY)]
    assert subject == "rever-returns: a run is Failed"
    assert text.startswith("reconcile acme is Failed: REVER refuses the key\n\n")


def test_one_happening_makes_one_notice() -> None:
    """Of each event that the desk sends one automation tells at most, those of holds told together and guards none."""
    triggers = {each.name: each.trigger for each in notice_automations(UUID(int=1))}

    def told(event: Event) -> list[str]:
        return [
            name
            for name, trigger in triggers.items()
            if isinstance(trigger, EventTrigger)
            and event.event in trigger.expect
            and isinstance(trigger.match, ResourceSpecification)
            and trigger.match.matches(event.resource)
        ]

    alone = hold_events([HOLD])
    assert [told(event) for event in alone] == [["rever: notices of holds"], []]
    many = [replace(HOLD, hold_id=f"h{at}") for at in range(9)]
    assert [name for event in hold_events(many) for name in told(event)] == ["rever: notices of many holds"]
    (pause,) = pause_events([Pause("acme", NOON, NOON + timedelta(minutes=1))])
    assert told(pause) == ["rever: notices of paused stores"]
    still = StaleReturn(
        "retp_1", "acme", "#1001", StaleStage.LABEL_UNUSED, NOON, KnownBy.SEEN, 3, WaitsFor.SHOPPER, comes_next="x"
    )
    stale = stale_events([still, replace(still, process_id="retp_2")], NOON)
    assert [name for event in stale for name in told(event)] == ["rever: notices of stale returns"]
