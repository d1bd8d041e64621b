"""Returns are found by each kind of key, at REVER and in the ledger, and what is not there is an error that says so."""

import asyncio
import logging

import pytest

from rever_api import AsyncReverClient
from rever_api.errors import NotSent, ReverError
from rever_api.models import ReturnProcess
from tasks import find_returns
from tasks.desk import client_config
from tasks.find_returns import Finder, Match, NothingFoundError, found_in_ledger
from tasks.lookup import KeyKind, read_key
from tasks.settings import load_settings
from tests.world import World


def find(world: World, typed: str, *, stores: tuple[str, ...] = ()) -> Match:
    """What is found by this."""

    async def found() -> Match:
        with world.ledger() as ledger:
            async with AsyncReverClient(client_config(load_settings())) as client:
                return await Finder(client, ledger, stores or world.sandbox.stores).find(read_key(typed))

    return asyncio.run(found())


def ids(match: Match) -> list[str]:
    return [found.process_id for found in match.returns]


def process(world: World, scenario: str = "approved_one") -> ReturnProcess:
    return world.sandbox.sandbox.processes[world.sandbox.process_ids(scenario)[0]].process


def shoppers(world: World, email: str) -> set[str]:
    """The returns of the shopper with this address."""
    all_of_them = [stored.process for stored in world.sandbox.sandbox.processes.values()]
    return {it.rever_process_id for it in all_of_them if it.shopper and it.shopper.email == email}


def change(world: World, process_id: str, **values: object) -> None:
    """Change what REVER shows of a return."""
    with world.sandbox.sandbox.locked():
        stored = world.sandbox.sandbox.processes[process_id]
        stored.process = stored.process.model_copy(update=values)


def test_a_return_is_found_by_its_id_and_told_with_order_store_state_and_amount(world: World) -> None:
    it = process(world)
    match = find(world, it.rever_process_id)
    assert (match.kind, ids(match)) == (KeyKind.ID, [it.rever_process_id])
    assert match.returns[0].words == (
        f"{it.rever_process_id} (order {it.order_name}, store {it.ecommerce_id}, running, review required,"
        f" goods worth {it.return_line_items[0].total_price} EUR)"
    )


@pytest.mark.parametrize("spelling", ["{0}", "{1}", "order:{1}", " {2} "])
def test_an_order_number_finds_all_its_returns_however_it_is_written(world: World, spelling: str) -> None:
    one, other = world.sandbox.process_ids("approved_one")[:2]
    name = process(world).order_name
    change(world, other, order_name=name, ecommerce_id="nordic")
    match = find(world, spelling.format(name, name.lstrip("#"), name.lower()))
    assert match.kind is KeyKind.ORDER
    assert set(ids(match)) == {one, other}
    assert match.words.startswith("found by order number ")
    assert "2 returns" in match.words


def test_an_order_that_only_the_ledger_knows_is_found_too(world: World) -> None:
    it = process(world)
    world.run("process-return", process_id=it.rever_process_id, mode="act")
    change(world, it.rever_process_id, order_name="#OTHER1")
    match = find(world, it.order_name)
    assert ids(match) == [it.rever_process_id]
    with world.sandbox.sandbox.locked():
        del world.sandbox.sandbox.processes[it.rever_process_id]
    assert find(world, it.order_name).returns[0].state == "REVER does not show it any more"


def test_a_hold_leads_to_its_return(world: World) -> None:
    world.act()
    hold = world.holds()[0]
    for typed in (hold.hold_id, f"{hold.hold_id}:{hold.version}", f"hold:{hold.hold_id}"):
        match = find(world, typed)
        assert (match.kind, ids(match)) == (KeyKind.HOLD, [hold.process_id])


@pytest.mark.parametrize("spelling", ["{}", "tracking:{}"])
def test_a_tracking_number_is_found_among_the_newest_returns(world: World, spelling: str) -> None:
    it = next(stored.process for stored in world.sandbox.sandbox.processes.values() if stored.process.logistics)
    assert it.logistics
    match = find(world, spelling.format(it.logistics[0].tracking_number.lower()))
    assert (match.kind, ids(match)) == (KeyKind.TRACKING, [it.rever_process_id])


def test_an_email_finds_what_the_shopper_returned_and_is_said_nowhere(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    it = process(world)
    assert it.shopper
    email = it.shopper.email
    match = find(world, email.upper())
    assert set(ids(match)) == shoppers(world, email)
    said = f"{match!r} {match.words} {caplog.text}".lower()
    assert email.lower() not in said
    assert email.partition("@")[0].lower() not in said.replace(it.rever_process_id.lower(), "")


def test_an_email_is_found_where_revers_search_does_not_look_at_emails(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = process(world)
    assert it.shopper
    monkeypatch.setattr("rever_api.sandbox.operations._has_text", lambda _: lambda __: False)
    assert set(ids(find(world, it.shopper.email))) == shoppers(world, it.shopper.email)


def test_where_revers_search_ignores_a_filter_no_other_return_is_taken(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rever_api.sandbox.operations._tests", lambda *_: [])
    it = process(world)
    assert ids(find(world, it.order_name)) == [it.rever_process_id]
    with pytest.raises(NothingFoundError):
        find(world, "#NOBODYS1")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("retp_nobody", "retp_nobody is no id of a return at REVER"),
        ("#AC1", "no return of an order #AC1, in the ledger or in REVER's search"),
        ("f" * 32, "the ledger has no hold"),
        (
            "XX99",
            "no tracking number like it, in REVER's search or in all 30 returns of acme, all 30 returns of nordic",
        ),
        ("nobody@example.com", "found by this e-mail address: no e-mail address like it"),
    ],
)
def test_nothing_found_says_where_it_was_looked_for(world: World, typed: str, said: str) -> None:
    with pytest.raises(NothingFoundError) as nothing:
        find(world, typed)
    assert said in str(nothing.value)
    assert "nobody@" not in str(nothing.value)


def test_it_says_how_many_of_the_newest_returns_were_looked_through(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(find_returns, "LOOKED_THROUGH", 5)
    with pytest.raises(NothingFoundError, match="the newest 5 returns of acme, the newest 5 returns of nordic"):
        find(world, "tracking:XX99")


def test_a_return_of_a_store_that_is_not_ours_is_an_error_that_says_so(world: World) -> None:
    it = process(world)
    assert it.ecommerce_id == "acme"
    with pytest.raises(NothingFoundError, match=r"is of store 'acme'; it was looked for at nordic"):
        find(world, it.rever_process_id, stores=("nordic",))


def test_without_rever_the_ledger_finds_by_id_order_and_hold_and_knows_no_other(world: World) -> None:
    world.act()
    hold = world.holds()[0]
    with world.ledger(read_only=True) as ledger:
        for typed in (hold.process_id, hold.order_name, hold.order_name.lstrip("#").lower(), hold.hold_id):
            match = found_in_ledger(ledger, read_key(typed))
            assert match is not None
            assert hold.process_id in ids(match)
        for typed in ("olga@example.com", "tracking:XX99", "#AC1"):
            assert found_in_ledger(ledger, read_key(typed)) is None


def test_an_outage_is_no_proof_that_there_is_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REVER_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("REVER_ACCOUNT", world.account)
    with pytest.raises(ReverError) as outage:
        find(world, "AC10001")
    assert isinstance(outage.value, NotSent)
