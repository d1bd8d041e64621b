"""Every parameter that is a day or a time: what is taken, what it means at each store, what is refused and how."""

from dataclasses import replace
from datetime import UTC, date, datetime
from importlib import import_module
from typing import Any

import pytest
from pydantic import BaseModel

from flows.catalog import FLOWS
from flows.parameters import Day, StoreTime
from flows.run import UsageError, parameters_for
from tests.world import Start, World


def name_zone(world: World, store: str, zone: str) -> None:
    """Let REVER name this time zone for a store."""
    shops = world.sandbox.sandbox.shops
    shops[store] = replace(shops[store], settings=shops[store].settings.model_copy(update={"timezone": zone}))


def since(text: Any) -> Any:
    return parameters_for("process-pending-returns", {"started_since": text}).model_dump()["started_since"]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-11-01", date(2026, 11, 1)),
        (" 2026-11-01 ", date(2026, 11, 1)),
        ("2026-11-01T09:00Z", datetime(2026, 11, 1, 9, tzinfo=UTC)),
        ("2026-11-01t09:00:00.5z", datetime(2026, 11, 1, 9, 0, 0, 500000, tzinfo=UTC)),
        ("2026-11-01 09:00 +01:00", datetime(2026, 11, 1, 8, tzinfo=UTC)),
        ("", None),
        (None, None),
        (date(2026, 11, 1), date(2026, 11, 1)),
    ],
)
def test_a_date_or_a_time_with_its_offset_is_taken_and_comes_back_from_json_as_it_was(text: Any, meant: Any) -> None:
    assert since(text) == meant
    assert type(since(text)) is type(meant)
    filled = parameters_for("generate-labels", {"started_since": text})
    assert type(filled).model_validate_json(filled.model_dump_json()) == filled


@pytest.mark.parametrize("text", ["2026-11-01T09:00", "2026-11-01 09:00:00", datetime(2026, 11, 1, 9)])  # noqa: DTZ001
def test_a_time_without_an_offset_is_refused_with_the_field_and_what_would_be_right(text: Any) -> None:
    with pytest.raises(
        UsageError, match=r"started_since: say the time's offset from UTC, .*2026-11-01T09:00:00Z.*found"
    ):
        since(text)


@pytest.mark.parametrize(
    "text",
    ["2026", "20261101", "1700000000", 1700000000, "0001-01-01", "0001-01-01T00:00:00Z", "2026-02-30", "9999-12-31",
     "9999-12-31T23:59-12:00", "2026-11-01T25:00Z", "yesterday", "01.11.2026", "\uff12026-11-01", True],
)  # fmt: skip
def test_what_is_no_date_is_refused_and_nothing_is_guessed(text: Any) -> None:
    with pytest.raises(UsageError, match="started_since: write a date such as 2026-11-01"):
        since(text)


@pytest.mark.parametrize("text", ["2026-11-01T00:00:00", "20261101", "2026", 0, "2026-13-01"])
def test_a_day_is_a_day(text: Any) -> None:
    with pytest.raises(UsageError, match="on: write a date such as"):
        parameters_for("answer-hold", {"hold_id": "h", "version": "1", "on": text})


@pytest.mark.parametrize("flow", FLOWS)
def test_no_form_has_a_date_of_another_type(flow: str) -> None:
    form: type[BaseModel] = import_module(FLOWS[flow]).Parameters
    for name, field in form.model_fields.items():
        if "date" in str(field.annotation):
            ours = [item for kind in (Day, StoreTime) for item in kind.__metadata__]  # type: ignore[attr-defined]
            assert all(item in ours for item in field.metadata), name
            assert field.metadata, name


def test_with_stores_in_two_zones_each_store_has_its_own_start_of_the_day(start_world: Start) -> None:
    """At 03:00 UTC it is the second of the month in Madrid and still the first in New York."""
    world = start_world(returns=40, scenarios=("approved_one",))
    with world.sandbox.sandbox.locked():
        name_zone(world, "nordic", "America/New_York")
        for stored in world.sandbox.sandbox.processes.values():
            at = datetime(2026, 11, 2, 3, tzinfo=UTC)
            stored.process = stored.earlier = stored.process.model_copy(update={"started_at": at})
    report = world.run("process-pending-returns", started_since="2026-11-02")
    assert {row.store for row in report.rows.values()} == {"acme"}
    report = world.run("generate-labels", started_since="2026-11-01")
    assert report.failures == []


def test_a_zone_that_is_none_is_utc_and_is_said_once(world: World) -> None:
    with world.sandbox.sandbox.locked():
        name_zone(world, "acme", "Europe")
    for flow in ("process-pending-returns", "generate-labels", "reconcile"):
        report = world.run(flow, mode="act")
        assert [note for note in report.notes if "time zone" in note] == [
            "store 'acme': REVER names the time zone 'Europe', which is not a known zone; its days are those of UTC"
        ]
        assert report.failures == []
