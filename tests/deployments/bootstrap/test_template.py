"""The text of a notice, rendered as Prefect's server does it."""

from datetime import UTC, datetime
from types import SimpleNamespace

from prefect.server.utilities.user_templates import render_user_template, validate_user_template

from deployments.bootstrap.automations import BODY

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
    assert text.startswith(
        "All effects were stopped by kim\n\nrever.hold.opened at 2026-11-23 12:00 UTC\nAll that waits"
    )
