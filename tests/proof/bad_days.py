"""Bad days: the ledger is restored from a backup, or lost, in the middle of the work.

A person then does as `docs/ledger.md` says: reconcile, a look at what is held, `start`, an answer to each hold. They
know which returns were closed by hand after the backup, and approve all others.
"""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from tasks.ledger import Actor, LedgerError, back_up, mark_restored, restore
from tasks.ledger.stops import switch
from tasks.policy.record import HoldKind
from tests.books import LedgerState
from tests.postgres import dump, empty, load
from tests.proof.workers import ACCOUNT, SETTLE_AFTER_S
from tests.proof.world import CellWorld

DEAR = ("approved_one", "approved_thirds")
SCENARIOS = (*DEAR, "two_methods", "exchange_reviewed", "label_needed_pickup", "costs_smaller")
UNIT_PRICE = Decimal("2000.00")
CAPPED = '[default.guards]\nmax_refund = { EUR = "1000" }\n'
CAP = "guard:max_refund"
EFFECTS = ("issueRefund", "issueExchange", "createOrderV2")


def make_some_dear(world: CellWorld) -> None:
    """Two returns cost more than the cap lets pass, so that all of each is put to a person."""
    policy = world.folder / "policy.toml"
    policy.write_text(CAPPED)
    world.settings["REVER_POLICY"] = str(policy)
    with world.sandbox.sandbox.locked():
        for stored in world.sandbox.sandbox.processes.values():
            if stored.scenario in DEAR:
                dear = []
                for line in stored.process.return_line_items:
                    price = {"unit_price": UNIT_PRICE, "subtotal_price": UNIT_PRICE * line.quantity}
                    price |= {"total_price": price["subtotal_price"], "total_taxes": Decimal(0)}
                    dear.append(line.model_copy(update=price | {"total_discounts": Decimal(0)}))
                world.sandbox.sandbox.change(stored, return_line_items=tuple(dear))


def back_up_now(world: CellWorld) -> Callable[[], None]:
    """Take a backup; return what restores it. On SQLite half of the time the former ledger is there to be read."""
    if not world.on_sqlite:
        kept = dump(world.ledger_url)

        def from_dump() -> None:
            load(world.ledger_url, kept)
            _mark(world, "it was put back by other means")

        return from_dump
    backup = world.folder / "backup.sqlite"
    back_up(world.ledger_url, backup)

    def from_file() -> None:
        if world.random.random() < 0.5:
            _remove(world.ledger_file)
        restore(world.ledger_url, backup, account=ACCOUNT, clock=world.now, actor=Actor("olga"))

    return from_file


def make_anew(world: CellWorld) -> None:
    """The ledger is gone, and `ledger create` makes another one."""
    if not world.on_sqlite:
        empty(world.ledger_url)
    else:
        _remove(world.ledger_file)
    _mark(world, "the ledger is new")


def _remove(ledger: Path) -> None:
    for file in ledger.parent.glob(f"{ledger.name}*"):
        file.unlink()


def _mark(world: CellWorld, why: str) -> None:
    world.write(mark_restored, why=why, now=world.now(), actor=Actor("olga"))


def work_on(world: CellWorld) -> None:
    """More is done after the backup: runs, and a person who closes by hand one return that the cap puts to them."""
    world.open()
    world.pass_time(130)
    world.worker()
    capped = [hold for hold in world.holds() if hold.rule == CAP]
    if capped:
        hold = world.random.choice(capped)
        about = {"hold_id": hold.hold_id, "version": str(hold.version), "by": "ada", "reason": "agreed"}
        by_hand = {"answer": "done_by_hand", "reference": "bank 7"}
        world.worker("answer-hold", **about, **world.random.choice((by_hand, {"answer": "drop"})))
    world.worker()
    world.by_hand = world.read(LedgerState.read).closed_by_hand


def put_back(world: CellWorld, come_back: Callable[[], None], known_effects: int) -> None:
    """The ledger comes back with what it knew when `known_effects` were in REVER's books; then the documented steps."""
    come_back()
    world.settings.pop("REVER_POLICY", None)  # no cap keeps the dear return back now
    asked_for = _asked_for(world)
    world.worker()
    world.pass_time(SETTLE_AFTER_S + 100)
    world.worker("reconcile")
    world.sent_while_stopped = _asked_for(world) - asked_for
    world.put_back_at = len(world.sandbox.books)
    world.forgot = {effect.process_id for effect in world.sandbox.books.effects[known_effects:]} | world.by_hand
    go_over(world)


def _asked_for(world: CellWorld) -> int:
    return sum(entry.operation in EFFECTS for entry in tuple(world.sandbox.journal.entries))


def go_over(world: CellWorld) -> None:
    """Let effects go as soon as the ledger takes it, and approve what is held, but for what was closed by hand."""
    if not _started(world):
        return
    held = [
        hold for hold in world.holds() if hold.kind == HoldKind.AFTER_RESTORE and hold.process_id not in world.by_hand
    ]
    held += [hold for hold in world.holds() if hold.rule == CAP]
    if held:
        named = ",".join(f"{hold.hold_id}:{hold.version}" for hold in held)
        world.worker("answer-holds", holds=named, answer="approve", by="olga", reason="gone over")


def _started(world: CellWorld) -> bool:
    if world.read(switch).stopped:
        try:
            world.let_effects_go()
        except LedgerError:  # reconcile has not been able to read everything; a later one will
            return False
    return True
