"""`check`: silent on every state a ledger comes to by itself, and on nothing that was done behind its back."""

from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from tasks.ledger import Answer, Ledger, check, stop_switch
from tasks.policy.decision import Adopt, Nothing
from tests.postgres import ACCOUNT, dump, load
from tests.tasks.ledger.desk import APPROVAL, EXCHANGE, LABEL, NOON, Clock, LedgerDesk, always, pay, refund, units
from tests.tasks.ledger.tampering import tamper


def findings(desk: LedgerDesk) -> list[str]:
    return [str(found) for found in desk.ledger.read(check, now=desk.clock()).findings]


@pytest.fixture(scope="module")
def kept() -> dict[str, bytes | dict[str, bytes]]:
    """A ledger with returns in every state, of each database: played once, and copied."""
    return {}


@pytest.fixture
def full(url: str, clock: Clock, kept: dict[str, bytes | dict[str, bytes]]) -> Iterator[LedgerDesk]:
    """Returns in every state."""
    database, file = url.partition(":")[0], Path(url.removeprefix("sqlite:///"))
    match kept.get(database):
        case bytes(content):
            file.write_bytes(content)
        case dict(tables):
            load(url, tables)
        case _:
            with closing(Ledger.open(url, account=ACCOUNT, clock=clock)) as ledger:
                play(LedgerDesk(ledger, clock))
            kept[database] = file.read_bytes() if database == "sqlite" else dump(url)
    with closing(Ledger.open(url, account=ACCOUNT, clock=clock)) as ledger:
        yield LedgerDesk(ledger, clock)


def play(desk: LedgerDesk) -> None:
    two = pay(refund("8.00", items=units(1), gross="10.00"), refund("10.00", items=units(2)), costs="2.00")
    desk.done(desk.sent("paid", two))
    desk.done(desk.sent("paid", two))
    nothing = pay(refund("0.00", gross="10.00"), refund("9.99", items=units(1, line="l2"), gross="9.99"), costs="10.00")
    desk.done(desk.sent("nothing", nothing))
    desk.refused(desk.sent("refused"))
    desk.done(desk.sent("refused"))
    desk.withdraw(desk.claim("withdrawn"))
    desk.held("unknown")
    for answer, more in (
        (Answer.DROP, {}),
        (Answer.DONE_BY_HAND, {"amount": Decimal("7.00"), "on": NOON.date(), "reference": "bank"}),
        (Answer.RETRY, {}),
    ):
        desk.held(answer)
        desk.answer(answer, next(hold for hold in desk.holds() if hold.process_id == answer), **more)
    desk.one("approval", always(APPROVAL))
    desk.one("by_hand", always(APPROVAL))
    desk.answer(Answer.DROP, next(hold for hold in desk.holds() if hold.process_id == "by_hand"))
    desk.sent("goods", pay(exchange=EXCHANGE))
    desk.claim("label", always(LABEL))
    desk.one("adopted", always(Adopt("already_paid", "REVER paid", Decimal(0), (refund(),))))
    desk.one("over", always(Nothing("all_settled", "done", final=True)))
    desk.ledger.write(stop_switch, on=True, by="olga", why="a try", now=NOON)


def test_every_state_it_comes_to_by_itself_is_sound(full: LedgerDesk) -> None:
    found = full.ledger.read(check, now=NOON)
    assert found.findings == ()
    assert (found.returns, found.intents) == (14, 15)
    assert found.steps > 40


PAID = "intent_id = (SELECT id FROM intents WHERE process_id = 'paid' ORDER BY seq LIMIT 1)"
FIRST = "id = (SELECT id FROM (SELECT id FROM intents WHERE process_id = 'paid' ORDER BY seq LIMIT 1) AS one)"


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (f"UPDATE audit SET amount = '9.00' WHERE event = 'done' AND {PAID}", "audit: paid: step"),
        (f"UPDATE audit SET evidence = '{{}}' WHERE event = 'sent' AND {PAID}", "audit: paid: step"),
        (f"DELETE FROM audit WHERE event = 'sent' AND {PAID}", "audit: paid: step"),
        ("DELETE FROM audit WHERE process_id = 'over'", "audit: over: there are 0 steps where 1 were written"),
        ("DELETE FROM audit WHERE id = (SELECT max(id) FROM audit WHERE process_id = 'goods')", "audit: goods: there"),
        ("DELETE FROM audit WHERE event = 'stopped'", "audit: the ledger itself: there are 0 steps"),
        (
            "INSERT INTO audit (process_id, at, actor, event, evidence)"
            " SELECT process_id, at, actor, event, evidence FROM audit WHERE process_id = 'over'",
            "audit: over: step 2",
        ),
        ("UPDATE intents SET state = 'done' WHERE process_id = 'unknown'", "audit: unknown: effect"),
        ("UPDATE intents SET state = 'done' WHERE process_id = 'unknown'", "hold: unknown: hold"),
        (f"UPDATE intents SET amount = '8.01' WHERE {FIRST}", "money: paid: refund"),
        (f"UPDATE intents SET gross = '10.01' WHERE {FIRST}", "are worth 10.00 EUR"),
        ("UPDATE records SET costs = '3.00' WHERE process_id = 'paid'", "where 7.00 was due"),
        ("UPDATE lines SET quantity = 1 WHERE process_id = 'paid'", "of line l1 of 1"),
        ("DELETE FROM lines WHERE process_id = 'paid'", "terms are not known"),
        (f"DELETE FROM units WHERE {PAID}", "is claimed by nobody"),
        ("UPDATE intents SET state = 'done' WHERE process_id = 'withdrawn'", "counter: store acme on 2026-11-23"),
        ("UPDATE units SET n = 7 WHERE process_id = 'paid' AND n = 1", "unit 7 of line l1 is claimed by"),
        ("UPDATE units SET intent_id = 'none' WHERE process_id = 'unknown'", "orphan: unknown: a unit is claimed by"),
        ("UPDATE store_days SET amount_e4 = amount_e4 + 100", "counter: store acme on 2026-11-23: counts"),
        ("DELETE FROM store_days", "counter: store acme on 2026-11-23: counts 0 EUR"),
        (
            "UPDATE shopper_refunds SET intent_id = 'none' WHERE intent_id IN (SELECT id FROM intents WHERE"
            " process_id = 'goods' OR process_id = 'unknown')",
            "counted for an effect that does not exist",
        ),
        ("UPDATE holds SET intent_id = 'none' WHERE process_id = 'unknown'", "orphan: unknown: a hold asks about"),
        (
            "UPDATE intents SET items = (SELECT items FROM (SELECT items FROM intents WHERE process_id = 'paid'"
            f" ORDER BY seq DESC LIMIT 1) AS other) WHERE {FIRST}",
            "both live",
        ),
    ],
)
def test_what_was_done_behind_its_back_is_found(full: LedgerDesk, statement: str, said: str) -> None:
    tamper(full, statement)
    assert [line for line in findings(full) if said in line], findings(full)


def test_what_no_run_has_settled_for_an_hour_is_late(desk: LedgerDesk) -> None:
    desk.claim("meant")
    desk.sent("sent")
    desk.unknown(desk.sent("unknown"))
    desk.held("asked")
    desk.clock.forward(minutes=61)
    assert {line.split(":")[1].strip() for line in findings(desk)} == {"sent"}
    desk.clock.forward(minutes=15)
    assert {line.split(":")[1].strip() for line in findings(desk)} == {"meant", "sent", "unknown"}
