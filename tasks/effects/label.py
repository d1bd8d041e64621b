"""Generate the labels and pickups that were claimed: one createOrderV2 per claim."""

from collections.abc import Sequence

from rever_api.errors import ReverError
from rever_api.limits import AsyncSlot as Slot
from rever_api.models import LogisticCustomer, LogisticOrderRequest, ReturnProcess, Warehouse, logistic_address
from tasks.decide_returns import DecidedReturn
from tasks.desk import Desk, DeskError
from tasks.effects.carry_out import ReturnResult, carry_out_batch
from tasks.effects.kind import Confirmed, Effect
from tasks.ledger import Claim, withdraw
from tasks.policy.country import country_of
from tasks.policy.decision import MakeLabel
from tasks.policy.kinds import LABEL
from tasks.policy.rules.label import named_warehouse, warehouse_for
from tasks.steps import step


def order_request(
    claim: Claim, label: MakeLabel, process: ReturnProcess, warehouses: Sequence[Warehouse]
) -> LogisticOrderRequest:
    """The body of createOrderV2: from the shopper's address to the warehouse of the store's own rule, else to that
    which serves their country.

    Where the address names its country but no code, the code by which the carrier was chosen is sent. Raises
    `DeskError` where the store has no such warehouse.
    """
    origin, shopper = process.pickup_address, process.shopper
    if label.warehouse:
        warehouse = named_warehouse(warehouses, label.warehouse)
        if warehouse is None:
            raise DeskError(f"the store has no warehouse {label.warehouse!r}, to which its own rule sends the goods")
    else:
        warehouse = warehouse_for(tuple(warehouses), country_of(origin))
    return LogisticOrderRequest(
        process_id=process.rever_process_id,
        provider=label.provider,
        carrier=label.carrier,
        return_method=label.return_method,
        customer=LogisticCustomer(email=shopper.email, first_name=shopper.first_name, last_name=shopper.last_name)
        if shopper
        else None,
        customer_address=logistic_address(origin, country_of(origin)),
        ecommerce_warehouse_address=logistic_address(warehouse.address) if warehouse else None,
        ecommerce_id=claim.store,
        ecommerce_group=process.ecommerce_group,
        ecommerce_order_id=process.order_id,
        order_number=process.order_name,
        pickup_ranges=process.pickup_ranges,
    )


async def send_label(desk: Desk, claim: Claim, process: ReturnProcess, slot: Slot) -> Confirmed:
    """The one call. A PUT by method, but each may order another pickup: only `effects.perform` makes it."""
    label: MakeLabel = claim.content
    warehouses = await desk.warehouses(claim.store)
    order = await desk.client.create_order_v2(order_request(claim, label, process, warehouses), slot=slot)
    carrier = order.carrier or label.carrier
    return Confirmed({"answer": "REVER ordered the label", "order": order.id, "carrier": carrier})


LABEL_EFFECT = Effect(LABEL, send_label)


@step("generate-labels")
async def generate_labels(
    desk: Desk, batch: Sequence[DecidedReturn], into: list[ReturnResult] | None = None
) -> list[ReturnResult]:
    """Have REVER make the labels and pickups of a batch of returns.

    Where a store's warehouses cannot be read, or lack one that its own rules name, its labels are left to the next run;
    nothing else waits for them.
    """
    ready = list(batch)
    for store in dict.fromkeys(item.pending.store for item in batch if item.decided.claim is not None):
        try:
            await desk.warehouses(store)
        except (DeskError, ReverError) as error:
            why = str(error) if isinstance(error, DeskError) else f"its warehouses could not be read: {error}"
            desk.report.fail_store(store, why)
            ready = [item for item in ready if item.pending.store != store]
            left = [item.decided.claim for item in batch if item.pending.store == store]
            for claim in left:
                if claim is not None and claim.intent.kind is LABEL.name:
                    await desk.ledger.awrite(withdraw, claim, why=why, now=desk.clock(), actor=desk.actor)
    return await carry_out_batch(desk, "generate-labels", ready, LABEL_EFFECT, into)
