"""Effects that somebody asks for, for tests: what is asked of a return, and a run that asks for it.

Flows ask for most of them too, and check more before. What is asked stays the same however often it is asked: unit 1 of
each line is approved, the return is cancelled, label 1 is registered, unit 1 of a product of an order is asked back.
"""

import asyncio
from collections.abc import Callable
from functools import partial

from flows.parameters import FlowParameters
from flows.run import Work
from rever_api.errors import ReverError
from rever_api.models import ReturnProcess, ReviewStatus
from tasks.desk import Desk, open_desk
from tasks.effects.calls import EFFECTS
from tasks.effects.carry_out import AskedReturn, carry_out_asked
from tasks.fetch_returns import PendingReturn, fetch_order, read_now
from tasks.ledger import Actor
from tasks.policy.decision import Cancellation
from tasks.policy.kinds.create_return import NewItem, NewReturn
from tasks.policy.kinds.register_label import MadeLabel
from tasks.policy.kinds.review import Reviews, UnitReview
from tasks.policy.order_returns import OrderKey
from tasks.policy.record import IntentKind
from tasks.reporting.report import Mode, ReturnsReport
from tasks.reporting.tally import count_outcome, count_settled
from tasks.settings import load_settings
from tasks.settle_outcomes import Settled, settle_outcomes
from tests.world import World

ASKED = {
    "ask-review": IntentKind.REVIEW,
    "ask-cancel": IntentKind.CANCEL,
    "ask-return": IntentKind.CREATE_RETURN,
}
"""What a run is called that asks -> for which kind."""


ORDER = OrderKey("acme", "#N1").process_id
"""The order of which a return is asked for: one that no return of the sandbox is of."""
NEW = NewReturn("#N1", (NewItem("ACME-001-M", (1,), "TOO_SMALL"),), "ada.almqvist@example.com", "returns.csv, row 1")


def approved(process: ReturnProcess, *, unit: int = 1) -> Reviews:
    """This unit of each line approved."""
    return tuple(UnitReview(line.id, unit, ReviewStatus.APPROVED) for line in process.return_line_items)


def wanted(kind: IntentKind, process: ReturnProcess) -> Reviews | Cancellation | MadeLabel | NewReturn:
    """What is asked for of this kind."""
    if kind is IntentKind.REVIEW:
        return approved(process)
    if kind is IntentKind.CANCEL:
        return Cancellation("the shopper keeps the goods")
    if kind is IntentKind.CREATE_RETURN:
        return NEW
    return MadeLabel(1, "OPS", "DHL", str(process.return_method), "track-1")


async def ask(desk: Desk, kind: IntentKind, process_id: str, content: object = None) -> AskedReturn:
    """Ask for an effect on a return, or of an order, as REVER shows it now; for `content`, else what `wanted` says."""
    if (order := OrderKey.of(process_id)) is not None:
        new = content if isinstance(content, NewReturn) else NEW
        pending = await fetch_order(desk, OrderKey(order.store, new.order_name))
        return await carry_out_asked(desk, EFFECTS[kind], pending, new)
    process = await read_now(desk, process_id)
    asked = wanted(kind, process) if content is None else content
    return await carry_out_asked(desk, EFFECTS[kind], PendingReturn(process.ecommerce_id, process), asked)


async def work(
    desk: Desk, parameters: FlowParameters, report: ReturnsReport, *, kind: IntentKind, process_id: str
) -> None:
    """Settle what is open of the return, then ask: a flow's work. Where REVER cannot be read nothing is asked."""
    settled: list[Settled] = []
    for store in desk.stores:
        await settle_outcomes(desk, store, [process_id], settled)
    count_settled(report, settled)
    try:
        found = await ask(desk, kind, process_id)
    except ReverError as error:
        report.notes.append(str(error))
        return
    if found.outcome is not None:
        count_outcome(report, found.outcome)


def work_of(flow: str, process_id: str) -> Work[FlowParameters, ReturnsReport]:
    """The work of a run of this name."""
    return partial(work, kind=ASKED[flow], process_id=process_id)


def at_desk(world: World, do: Callable[[Desk], object]) -> object:
    """Do something at the world's desk."""

    async def run() -> object:
        report = ReturnsReport("ask", mode=Mode.ACT)
        async with open_desk(load_settings(), report, Actor("ask"), world.clock, begins=True) as desk:
            return await do(desk)  # type: ignore[misc]

    return asyncio.run(run())


def settled(world: World) -> list[Settled]:
    """Settle what is open."""
    found: list[Settled] = []
    at_desk(world, lambda desk: settle_outcomes(desk, desk.stores[0], None, found))
    return found
