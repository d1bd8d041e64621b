"""Fill a sandbox with returns, deterministic from its seed: same seed, same ids, amounts and states."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from random import Random

from rever_api.models import (
    Compensation,
    LogisticOrder,
    LogisticsEntry,
    RefundInput,
    ReturnLineItem,
    ReturnProcess,
    ReturnStatus,
    ShippingStatus,
)
from rever_api.sandbox.autopay import refunds_due, will_pay_itself
from rever_api.sandbox.books import Actor
from rever_api.sandbox.ids import Ids
from rever_api.sandbox.labels import label_pdf
from rever_api.sandbox.parcels import entry_for, new_order
from rever_api.sandbox.paying import pay
from rever_api.sandbox.people import address, shopper
from rever_api.sandbox.scenarios import SCENARIOS, Country, Scenario, Stage
from rever_api.sandbox.seed_lines import make_line, make_reviews
from rever_api.sandbox.shops import OPS, SOLD_OUT, Shop, ops_country
from rever_api.sandbox.state import Sandbox, StoredProcess

_UNSERVED = "NZ"
_IN_STOCK = 10_000
_FORGETS_ONE_IN = 4
_SHIPPING_STATUS = {
    Stage.LABEL_PENDING: ShippingStatus.NO_SHIPPING_STATUS,
    Stage.LABEL_READY: ShippingStatus.CREATED,
    Stage.LABEL_CANCELED: ShippingStatus.CANCELED,
    Stage.COLLECTED: ShippingStatus.COLLECTED,
    Stage.IN_WAREHOUSE: ShippingStatus.IN_WAREHOUSE,
}
_RETURN_STATUS = {Stage.COLLECTED: ReturnStatus.COLLECTED, Stage.IN_WAREHOUSE: ReturnStatus.REVIEW_REQUIRED}


@dataclass(frozen=True)
class _Seeding:
    """What one seeded return is made from; `turn` counts the returns of its scenario so far."""

    sandbox: Sandbox
    shop: Shop
    ids: Ids
    random: Random
    number: int
    turn: int

    @property
    def forgotten(self) -> bool:
        """Whether this is one that the shop's own REVER should have paid days ago and did not."""
        return self.shop.pays_itself_after is not None and self.number % _FORGETS_ONE_IN == 0

    @property
    def last_review(self) -> datetime:
        if self.shop.pays_itself_after is not None and not self.forgotten:
            return self.sandbox.clock()
        return self.sandbox.clock() - timedelta(days=3, minutes=self.number)


def seed(sandbox: Sandbox, returns: int, names: Collection[str] = ()) -> None:
    """Add so many returns, over all shops and scenarios in turn: each scenario meets each shop in time.

    `names` are the scenarios to take, all there are when it is empty. KeyError for one there is not.
    """
    ids, shops = Ids(sandbox.seed, "seed"), list(sandbox.shops.values())
    scenarios = [SCENARIOS[name] for name in names or SCENARIOS]
    for shop in shops:
        for sku, (product, _) in shop.goods.items():
            sandbox.stock[product.variant_id] = 0 if sku.endswith(SOLD_OUT) else _IN_STOCK
    for number in range(returns):
        turn, place = divmod(number, len(scenarios))
        random = Random(f"{sandbox.seed}/{number}")  # noqa: S311 - must repeat
        made = _Seeding(sandbox, shops[(turn + place) % len(shops)], ids, random, number + 1, turn)
        _add(made, scenarios[place])


def _add(made: _Seeding, scenario: Scenario) -> None:
    sandbox = made.sandbox
    process = _process(made, scenario)
    stored = StoredProcess(process, scenario.name, process, process.updated_at or sandbox.clock())
    _ship(made, scenario, stored)
    sandbox.add(stored)
    _pay_before(made, scenario, stored)
    if scenario.reviewed and not scenario.foreign and not made.forgotten:
        will_pay_itself(sandbox, stored)


def _process(made: _Seeding, scenario: Scenario) -> ReturnProcess:
    number, shop, now = made.number, made.shop, made.sandbox.clock()
    lines = tuple(make_line(spec, shop, made.ids, made.random) for spec in scenario.lines)
    person = shopper(number, made.random)
    method = scenario.methods[made.turn % len(scenario.methods)]
    return ReturnProcess(
        rever_process_id=made.ids.new("retp"),
        rever_process_status=scenario.status,
        return_line_items=lines,
        return_status=ReturnStatus.COMPLETED if scenario.status == "COMPLETED" else _return_status(scenario),
        portal_name=shop.name,
        platform_process_id=f"{shop.id}-{number}",
        ecommerce_id=shop.id,
        ecommerce_group=made.sandbox.group,
        started_at=now - timedelta(days=7, minutes=number),
        updated_at=now - timedelta(days=3, minutes=number),
        order_id=f"ord_{shop.id}_{number:05}",
        order_name=f"#{shop.id[:2].upper()}{10000 + number}",
        shopper=person,
        pickup_address=address(person, number, _country(scenario.country, shop, method, made.random)),
        return_method=method,
        pickup_ranges=("RANGE_8_TO_12",) if method == "HOME_PICK_UP" else ("NO_RANGE",),
        return_costs=_costs(scenario, lines),
        reviews=make_reviews(scenario.lines, lines, made.last_review),
        compensation=Compensation(refunds=()),
        logistics=(),
    )


def _return_status(scenario: Scenario) -> ReturnStatus:
    return _RETURN_STATUS.get(scenario.stage, ReturnStatus.STARTED)


def _country(where: Country, shop: Shop, method: str, random: Random) -> str:
    """Return the shopper's country: a served one is one to which a carrier comes for this return method."""
    if where is not Country.SERVED:
        return ops_country(shop) if where is Country.BY_HAND else _UNSERVED
    served = [c.countries for c in shop.settings.carriers if c.provider != OPS and method in c.return_methods]
    return random.choice(sorted({country for countries in served for country in countries}) or shop.countries)


def _costs(scenario: Scenario, lines: tuple[ReturnLineItem, ...]) -> Decimal:
    total = sum((line.total_price or Decimal(0) for line in lines), Decimal(0))
    return (total * Decimal(scenario.costs)).quantize(Decimal("0.01"), ROUND_HALF_UP)


def _ship(made: _Seeding, scenario: Scenario, stored: StoredProcess) -> None:
    """Give the process the parcel its stage has; one that was never made has none."""
    if scenario.stage is Stage.NO_LABEL:
        return
    order, entry = _parcel(made, scenario, stored.process)
    stored.orders = (order,)
    if scenario.stage is not Stage.LABEL_PENDING:
        made.sandbox.label_files[order.id] = (label_pdf(order.tracking_id, order.carrier), "pdf")
    stored.process = stored.earlier = stored.process.model_copy(update={"logistics": (entry,)})


def _parcel(made: _Seeding, scenario: Scenario, process: ReturnProcess) -> tuple[LogisticOrder, LogisticsEntry]:
    carrier = made.shop.settings.carriers[0]
    order = new_order(made.sandbox, process, carrier.provider, carrier.carrier, str(process.return_method))
    return order, entry_for(order, _SHIPPING_STATUS[scenario.stage])


def _pay_before(made: _Seeding, scenario: Scenario, stored: StoredProcess) -> None:
    """Carry out the refunds that others made before the sandbox was opened; a different one is a tenth short."""
    if not scenario.foreign:
        return
    by = Actor.HISTORY if scenario.foreign == "history" else Actor.BACK_OFFICE
    for refund in refunds_due(stored.process, made.shop.timing):
        paid = _short(refund) if scenario.foreign == "different" else refund
        pay(made.sandbox, stored, paid, by, completes=False)
    stored.earlier = stored.process


def _short(refund: RefundInput) -> RefundInput:
    return refund.model_copy(update={"amount": (refund.amount * 9 / 10).quantize(Decimal("0.01"), ROUND_HALF_UP)})
