"""What is seeded: the same for the same seed, every state, two shops in two currencies."""

import re
from typing import Any

from rever_api.models import ReturnMethod
from rever_api.sandbox import running_sandbox
from rever_api.sandbox.operations import wire
from rever_api.sandbox.seed import SCENARIOS, seed
from rever_api.sandbox.shops import catalogue
from rever_api.sandbox.state import Sandbox

_TIMES = {"started_at", "updated_at", "review_date", "refunded_at", "at"}


def seeded(number: int, returns: int = 60, *shops: str) -> Sandbox:
    sandbox = Sandbox(catalogue(shops or ("acme", "nordic"), 2.0, {}), number)
    seed(sandbox, returns)
    return sandbox


def timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: timeless(part) for name, part in value.items() if name not in _TIMES}
    return [timeless(part) for part in value] if isinstance(value, list) else value


def as_json(sandbox: Sandbox) -> Any:
    return timeless([[wire(s.process) for s in sandbox.processes.values()], sandbox.books.as_json()])


def test_the_same_seed_gives_the_same_returns_and_books() -> None:
    assert as_json(seeded(7)) == as_json(seeded(7))
    assert as_json(seeded(7)) != as_json(seeded(8))


def test_sixty_returns_cover_every_scenario_and_return_method() -> None:
    stored = seeded(7).processes.values()
    assert {s.scenario for s in stored} == set(SCENARIOS)
    assert {s.process.return_method for s in stored} == set(ReturnMethod)


def test_each_return_has_its_scenarios_status() -> None:
    for stored in seeded(7, 100).processes.values():
        assert stored.process.rever_process_status == SCENARIOS[stored.scenario].status, stored.scenario


def test_a_hundred_returns_cover_every_scenario_in_both_shops() -> None:
    stored = seeded(7, 100).processes.values()
    assert {(s.scenario, s.process.ecommerce_id) for s in stored} >= {
        (n, s) for n in SCENARIOS for s in ("acme", "nordic")
    }


def test_each_shop_has_its_own_currency() -> None:
    currencies = {
        (s.process.ecommerce_id, line.currency)
        for s in seeded(7).processes.values()
        for line in s.process.return_line_items
    }
    assert currencies == {("acme", "EUR"), ("nordic", "SEK")}


def test_ids_look_as_revers_and_are_unique() -> None:
    processes = [s.process for s in seeded(7, 200).processes.values()]
    lines = [line.id for process in processes for line in process.return_line_items]
    assert all(re.fullmatch(r"retp_[0-9A-Za-z]{27}", process.rever_process_id) for process in processes)
    assert all(re.fullmatch(r"retl_[0-9A-Za-z]{27}", line) for line in lines)
    assert len(set(lines)) == len(lines)


def test_shoppers_are_nobody() -> None:
    emails = [s.process.shopper.email for s in seeded(7).processes.values() if s.process.shopper]
    assert len(emails) == 60
    assert all(email.endswith("@example.com") for email in emails)


def test_what_others_paid_before_is_marked_as_foreign() -> None:
    sandbox = seeded(7)
    paid = {sandbox.processes[e.process_id].scenario for e in sandbox.books if e.amount and e.foreign}
    assert paid == {"foreign_exact", "foreign_different", "completed"}
    assert sandbox.books.paid() == {}


def test_the_third_shop_comes_only_when_asked() -> None:
    sandbox = seeded(7, 90, "acme", "nordic", "autopay")
    stores = [s.process.ecommerce_id for s in sandbox.processes.values()]
    assert {store: stores.count(store) for store in stores} == {"acme": 30, "nordic": 30, "autopay": 30}
    with running_sandbox(returns=3) as running:
        assert running.stores == ("acme", "nordic")


def test_only_the_scenarios_that_are_named() -> None:
    sandbox = Sandbox(catalogue(("acme",), 2.0, {}), 3)
    seed(sandbox, 5, ("approved_one", "declined"))
    named = ["approved_one", "declined", "approved_one", "declined", "approved_one"]
    assert [stored.scenario for stored in sandbox.processes.values()] == named
