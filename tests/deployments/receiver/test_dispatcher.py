"""Every event is offered until a run has looked at its return, whatever happens to Prefect, runs and dispatchers."""

import asyncio
import time
from datetime import timedelta
from functools import partial

import httpx
import pytest
from sqlalchemy import func, select

from deployments.receiver.dispatcher import Times
from deployments.receiver.inbox import Inbox, events
from deployments.receiver.inbox_care import looked_at
from deployments.receiver.offers import FEW, MANY, Pace, open_offers, waiting_returns
from deployments.receiver.prefect_runs import RunState
from tests.deployments.receiver.conftest import NOON, Desk, body, signed, until


def states(desk: Desk) -> dict[str, int]:
    query = select(events.c.state, func.count().label("many")).group_by(events.c.state)
    return desk.inbox.read(lambda conn: {row.state: row.many for row in conn.execute(query)})


def test_an_event_is_offered_once_and_acted_on_once(desk: Desk) -> None:
    desk.store(body("p1"))
    for _ in range(3):
        desk.step()
    assert desk.prefect.offered() == [["p1"]]
    desk.clock.forward(seconds=2)
    desk.look("p1")
    desk.step()
    assert states(desk) == {"acted_on": 1}
    assert desk.inbox.read(open_offers) == []
    assert desk.number("rever_webhook_acted_on_total") == 1
    desk.clock.forward(hours=30)
    desk.step()
    assert desk.prefect.offered() == [["p1"]]


def test_a_run_that_began_before_the_event_came_in_does_not_count(desk: Desk) -> None:
    desk.look("p1")
    desk.clock.forward(seconds=5)
    desk.store(body("p1"))
    desk.step()
    desk.clock.forward(seconds=2)
    desk.step()
    assert states(desk) == {"waiting": 1}
    assert desk.prefect.offered() == [["p1"]]


def test_what_a_clock_that_was_ahead_has_left_behind_is_due_now(desk: Desk) -> None:
    """An event that came in then, a run that was offered then, and a return that REVER was asked about then."""
    desk.store(body("p1"))
    desk.clock.forward(days=400)
    desk.store(body("p1", shipping="COLLECTED"))
    desk.store(body("p2"))
    desk.step()
    desk.clock.forward(days=-400, seconds=10)
    desk.step()
    assert all(item.last <= desk.clock() for item in desk.inbox.read(waiting_returns))
    assert all((offer.look_at or NOON) <= desk.clock() + Times().most_again for offer in desk.inbox.read(open_offers))
    desk.clock.forward(seconds=2)
    desk.look("p1", "p2")
    desk.step()
    assert states(desk) == {"acted_on": 3}
    assert desk.inbox.read(open_offers) == []


def test_a_lost_run_of_a_clock_that_was_ahead_is_offered_anew(desk: Desk) -> None:
    desk.clock.forward(days=400)
    desk.store(body("p1"))
    desk.step()
    desk.clock.forward(days=-400)
    desk.step()
    desk.prefect.state = RunState.OVER
    for _ in range(3):
        desk.clock.forward(minutes=2)
        desk.step()
    assert len(desk.prefect.offered()) > 1


def test_a_run_that_began_in_the_future_has_looked_at_nothing(desk: Desk) -> None:
    """By its clock, that was ahead, it began after every event of the next 400 days."""
    desk.clock.forward(days=400)
    desk.look("p1")
    desk.clock.forward(days=-400)
    desk.store(body("p1"))
    desk.step()
    desk.clock.forward(seconds=2)
    desk.step()
    assert states(desk) == {"waiting": 1}
    assert desk.prefect.offered() == [["p1"]]


def test_a_run_of_the_schedule_counts_as_well(desk: Desk) -> None:
    desk.prefect.away = True
    desk.store(body("p1"))
    desk.step()
    desk.clock.forward(seconds=2)
    desk.look("p1")
    desk.step()
    assert states(desk) == {"acted_on": 1}
    desk.prefect.away = False
    desk.store(body("p2"))
    desk.step()
    assert desk.prefect.offered() == [["p2"]]


def test_an_event_that_comes_in_after_the_run_began_is_offered_after_it(desk: Desk) -> None:
    desk.store(body("p1"))
    desk.step()
    desk.clock.forward(seconds=2)
    began = desk.clock()
    desk.clock.forward(seconds=1)
    desk.store(body("p1", shipping="COLLECTED"))
    desk.step()
    assert desk.prefect.offered() == [["p1"]]  # the first run is still outstanding
    desk.looked["p1"] = began
    desk.step()
    assert states(desk) == {"acted_on": 1, "waiting": 1}
    assert desk.prefect.offered() == [["p1"], ["p1"]]
    desk.clock.forward(seconds=2)
    desk.look("p1")
    desk.step()
    assert states(desk) == {"acted_on": 2}


@pytest.mark.parametrize(
    ("looked_s", "runs", "state"),
    [
        (None, 1, "waiting"),
        (-1, 1, "waiting"),
        (0, 0, "acted_on"),
        (5, 0, "acted_on"),
    ],
)
def test_an_event_whose_return_a_later_run_has_looked_at_starts_none(
    local: Desk, looked_s: float | None, runs: int, state: str
) -> None:
    """Prefect is away when it comes in. A run that began `looked_s` after that looks at the return."""
    local.prefect.away = True
    local.store(body("p1"))
    local.step()
    if looked_s is not None:
        local.looked["p1"] = local.clock() + timedelta(seconds=looked_s)
    local.clock.forward(seconds=10)
    local.prefect.away = False
    local.step()
    assert (len(local.prefect.runs) - len(local.prefect.cancelled), states(local)) == (runs, {state: 1})


def test_a_run_that_nobody_has_taken_is_cancelled_where_another_has_looked(desk: Desk) -> None:
    desk.store(body("p1"))
    desk.store(body("p2"))
    desk.step()
    desk.clock.forward(seconds=2)
    desk.look("p1")
    desk.step()
    assert desk.prefect.cancelled == [key for key, (_, form) in desk.prefect.runs.items() if "p1" in str(form)]
    assert states(desk) == {"acted_on": 1, "waiting": 1}
    assert desk.number("rever_webhook_cancelled_runs_total") == 1


def test_a_run_for_many_is_cancelled_only_when_all_of_them_were_looked_at(desk: Desk) -> None:
    for number in range(FEW + 1):
        desk.store(body(f"p{number}"))
    desk.step()
    desk.clock.forward(seconds=2)
    desk.look(*(f"p{number}" for number in range(FEW)))
    desk.step()
    assert desk.prefect.cancelled == []
    desk.look(f"p{FEW}")
    desk.step()
    assert len(desk.prefect.cancelled) == 1


def test_a_run_under_way_is_never_cancelled(desk: Desk) -> None:
    """It is the one that looked, or it is about to."""
    desk.store(body("p1"))
    desk.step()
    desk.prefect.state = RunState.UNDER_WAY
    desk.clock.forward(seconds=2)
    desk.look("p1")
    desk.step()
    assert (states(desk), desk.prefect.cancelled) == ({"acted_on": 1}, [])


def test_what_came_in_after_the_other_run_began_gets_one_run_though_the_first_is_cancelled(desk: Desk) -> None:
    desk.store(body("p1"))
    desk.step()
    desk.clock.forward(seconds=2)
    desk.look("p1")
    desk.clock.forward(seconds=2)
    desk.store(body("p1", shipping="COLLECTED"))
    desk.step()
    desk.step()
    (first, second) = desk.prefect.runs
    assert desk.prefect.cancelled == [first]
    assert [offer.run_id for offer in desk.inbox.read(open_offers)] == [second]
    assert states(desk) == {"acted_on": 1, "waiting": 1}


def test_a_needless_run_is_cancelled_once_prefect_is_back(local: Desk) -> None:
    local.store(body("p1"))
    local.step()
    local.clock.forward(seconds=2)
    local.look("p1")
    local.prefect.away = True
    local.step()
    assert states(local) == {"acted_on": 1}
    local.prefect.away = False
    local.step()
    local.step()
    assert local.prefect.cancelled == list(local.prefect.runs)


def test_the_inbox_says_for_how_many_events_no_run_was_made(desk: Desk) -> None:
    desk.prefect.away = True
    desk.store(body("p1"))
    desk.step()
    desk.clock.forward(seconds=2)
    desk.look("p1")
    desk.step()
    assert desk.inbox.read(partial(looked_at, now=desk.clock())) == (1, 0), "one was offered, and not taken"
    quiet = desk.another(Pace(few=0))
    desk.store(body("p2"))
    desk.store(body("p2", shipping="COLLECTED"))
    desk.clock.forward(seconds=2)
    desk.look("p2")
    desk.step(quiet)
    assert desk.inbox.read(partial(looked_at, now=desk.clock())) == (3, 2)


def test_events_of_one_return_share_a_run(desk: Desk) -> None:
    for shipping in ("CREATED", "COLLECTED", "IN_WAREHOUSE"):
        desk.store(body("p1", shipping=shipping))
    desk.step()
    assert desk.prefect.offered() == [["p1"]]


def test_a_storm_is_folded(desk: Desk) -> None:
    for number in range(250):
        desk.store(body(f"p{number:03}"))
    desk.step()
    assert [len(ids) for ids in desk.prefect.offered()] == [100, 100, 50]
    assert desk.number("rever_webhook_offered_runs_total", deployment=MANY) == 3


def test_a_steady_rain_is_folded_too(local: Desk) -> None:
    dispatcher = local.another(Pace(breath=1000.0))
    for number in range(40):
        local.store(body(f"p{number:02}"))
        local.step(dispatcher)
    assert local.prefect.offered() == [[f"p{number:02}"] for number in range(FEW)]


def test_while_prefect_is_away_events_wait_and_then_go_out_once(desk: Desk) -> None:
    desk.prefect.away = True
    for number in range(30):
        desk.store(body(f"p{number:02}"))
        desk.step()
    assert desk.prefect.runs == {}
    desk.prefect.away = False
    desk.step()
    offered = [one for ids in desk.prefect.offered() for one in ids]
    assert sorted(offered) == [f"p{number:02}" for number in range(30)]
    assert len(desk.prefect.runs) <= 3


def test_a_prefect_that_is_merely_busy_is_asked_again_at_once_and_one_that_is_away_later_and_later(local: Desk) -> None:
    dispatcher = local.another(times=Times(first_trouble_s=0.02, most_trouble_s=0.06))
    local.store(body("p1"))
    local.prefect.away = True
    pauses = []
    for _ in range(4):
        pauses.append(local.step(dispatcher))
        time.sleep(pauses[-1])
    assert pauses == [0.02, 0.04, 0.06, 0.06]
    local.prefect.away = False
    local.step(dispatcher)
    assert local.prefect.offered() == [["p1"]]
    assert Times().first_trouble_s <= 0.1


def test_a_dispatcher_killed_before_it_knew_the_run_asks_for_the_same_run(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.store(body("p1"))
    offer = desk.prefect.offer

    async def killed(*args: object) -> str:
        await offer(*args)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr(desk.prefect, "offer", killed)
    with pytest.raises(KeyboardInterrupt):
        desk.step()
    monkeypatch.undo()
    desk.store(body("p1", shipping="COLLECTED"))
    desk.step(desk.another())
    assert desk.prefect.offered() == [["p1"]]
    assert [item.run_id for item in desk.inbox.read(open_offers)] == list(desk.prefect.runs)


def test_two_dispatchers_on_one_inbox_offer_each_return_once(desk: Desk, inbox_url: str) -> None:
    for number in range(60):
        desk.store(body(f"p{number:02}"))
    other_inbox = Inbox.open(inbox_url)
    other = Desk(other_inbox, desk.clock)
    other.prefect = desk.prefect
    second = other.another()

    async def both() -> None:
        await asyncio.gather(*(each.step() for each in (desk.dispatcher, second) for _ in range(3)))

    asyncio.run(both())
    other_inbox.close()
    offered = [one for ids in desk.prefect.offered() for one in ids]
    assert sorted(offered) == [f"p{number:02}" for number in range(60)]


@pytest.mark.parametrize("state", [RunState.OVER, None])
def test_a_run_that_showed_nothing_is_offered_again_later_and_later(local: Desk, state: RunState | None) -> None:
    local.store(body("p1"))
    local.step()
    local.prefect.state = state
    for number, wait in enumerate((5, 10, 20, 40), start=1):
        local.clock.forward(seconds=wait - 1)
        local.step()
        assert len(local.prefect.runs) == number
        local.clock.forward(seconds=1)
        local.step()
        assert len(local.prefect.runs) == number + 1
    local.look("p1")
    local.step()
    assert states(local) == {"acted_on": 1}


@pytest.mark.parametrize(("state", "runs"), [(RunState.TO_COME, 1), (RunState.UNDER_WAY, 2)])
def test_a_run_that_is_still_to_come_is_waited_for_and_a_dead_ones_is_not(
    local: Desk, state: RunState, runs: int
) -> None:
    local.store(body("p1"))
    local.step()
    local.prefect.state = state
    for _ in range(14):
        local.clock.forward(minutes=1)
        local.step()
    assert len(local.prefect.runs) == 1
    local.clock.forward(minutes=2)
    local.step()
    assert len(local.prefect.runs) == runs


def test_a_run_that_comes_to_its_end_while_it_is_asked_for_is_not_repeated(
    local: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    local.store(body("p1"))
    local.step()
    local.clock.forward(seconds=6)
    ask = local.prefect.states

    async def ended(run_ids: list[str]) -> dict[str, RunState]:
        local.look("p1")
        local.prefect.state = RunState.OVER
        return await ask(run_ids)

    monkeypatch.setattr(local.prefect, "states", ended)
    local.step()
    assert states(local) == {"acted_on": 1}
    local.step()
    assert len(local.prefect.runs) == 1


def test_after_a_day_of_offers_an_event_is_given_up_and_told(local: Desk, caplog: pytest.LogCaptureFixture) -> None:
    dispatcher = local.another(Pace(few=1000))
    local.store(body("p1"))
    local.step(dispatcher)
    local.prefect.state = RunState.OVER
    for _ in range(48):
        local.clock.forward(minutes=30)
        local.step(dispatcher)
    assert states(local) == {"given_up": 1}
    assert local.number("rever_webhook_given_up_total") == 1
    assert "return p1: no run has looked at it" in caplog.text
    offered = len(local.prefect.runs)
    assert 20 < offered < 40
    told = list(local.announcer._waiting)
    assert [(event["event"], event["resource"]["prefect.resource.id"]) for event in told] == [
        ("rever.webhook.given_up", "rever.return.p1")
    ]
    local.store(body("p1", shipping="COLLECTED"))
    local.step()
    assert len(local.prefect.runs) == offered + 1
    assert states(local) == {"given_up": 1, "waiting": 1}


def test_a_day_without_prefect_gives_nothing_up(local: Desk) -> None:
    local.prefect.away = True
    local.store(body("p1"))
    local.step()
    local.clock.forward(hours=40)
    local.step()
    local.prefect.away = False
    local.step()
    assert states(local) == {"waiting": 1}
    assert local.prefect.offered() == [["p1"]]


async def test_what_comes_in_is_offered_at_once(local: Desk, http: httpx.AsyncClient) -> None:
    loop = asyncio.create_task(local.dispatcher.run())
    await asyncio.sleep(0.05)
    await http.post("/webhooks/rever", content=body("p1"), headers=signed(body("p1")))
    await until(lambda: local.prefect.runs)
    loop.cancel()


async def test_no_fault_ends_the_loop(
    local: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def faulty(*_: object) -> str:
        raise ValueError("ann@example.com")

    monkeypatch.setattr(local.prefect, "offer", faulty)
    local.store(body("p1"))
    loop = asyncio.create_task(local.dispatcher.run())
    await until(lambda: "a fault of this software in the dispatcher: ValueError" in caplog.text)
    assert not loop.done()
    assert "ann@" not in caplog.text
    loop.cancel()


async def test_events_are_passed_on_in_order_and_wait_for_prefect(local: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deployments.receiver.prefect_runs.AGAIN_S", 0.01)
    local.prefect.away = True
    loop = asyncio.create_task(local.announcer.run())
    for number in range(3):
        local.announcer.came_in(local.store(body(f"p{number}")).kind, f"p{number}", local.clock())
    await asyncio.sleep(0.05)
    assert local.prefect.events == []
    local.prefect.away = False
    await until(lambda: len(local.prefect.events) == 3)
    assert [event["event"] for event in local.prefect.events] == ["rever.return.created"] * 3
    assert [event["payload"]["process_id"] for event in local.prefect.events] == ["p0", "p1", "p2"]
    assert all("ann" not in str(event).lower() for event in local.prefect.events)
    assert local.prefect.events[0]["occurred"] - local.clock() == timedelta(0)
    assert len(local.inbox.read(waiting_returns)) == 3
    loop.cancel()
