"""Fill a sandbox with returns, deterministic from its seed: same seed, same ids, amounts and states."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from random import Random

from rever_api.models import (
    NOT_RECEIVED,
    Compensation,
    CompensationMethod,
    ProcessStatus,
    ReturnLineItem,
    ReturnMethod,
    ReturnProcess,
    ReturnStatus,
    Review,
    ShippingStatus,
)
from rever_api.sandbox.effects import pay, pay_by_itself_later, refunds_due
from rever_api.sandbox.labels import label_of, new_order, parcel_of
from rever_api.sandbox.shops import OPS, SOLD_OUT, Shop, address, shopper
from rever_api.sandbox.state import Actor, Ids, Sandbox, StoredProcess

_OPM, _GIFT, _EXCHANGE = (
    CompensationMethod.ORIGINAL_PAYMENT_METHOD.value,
    CompensationMethod.GIFT_CARD.value,
    CompensationMethod.EXCHANGE.value,
)


class Stage(StrEnum):
    """How far the goods have come."""

    NO_LABEL = "no_label"
    LABEL_PENDING = "label_pending"
    LABEL_READY = "label_ready"
    LABEL_CANCELED = "label_canceled"
    COLLECTED = "collected"
    IN_WAREHOUSE = "in_warehouse"


class Country(StrEnum):
    """Where the shopper lives: where a carrier comes, where a person must order one, where no carrier comes."""

    SERVED = "served"
    BY_HAND = "by_hand"
    UNSERVED = "unserved"


class PaidBefore(StrEnum):
    """What others paid before the sandbox was opened."""

    NOTHING = ""
    EXACT = "exact"  # the back office, what was due
    DIFFERENT = "different"  # the back office, a tenth less
    HISTORY = "history"  # whoever it was, the whole return being at its end


@dataclass(frozen=True, slots=True)
class LineSpec:
    """A line. `reviews` has one letter per inspected unit: Approved, Declined, Missing. `total` fixes its price."""

    quantity: int = 1
    reviews: str = ""
    method: str = _OPM
    reason: str = "NOT_AS_EXPECTED"
    total: str = ""
    sold_out: bool = False


@dataclass(frozen=True, slots=True)
class Scenario:
    """A state a return can be in. `costs` is a share of the refund.

    `methods` are taken in turn by the returns of this scenario.
    """

    name: str
    lines: tuple[LineSpec, ...] = (LineSpec(),)
    stage: Stage = Stage.IN_WAREHOUSE
    status: str = ProcessStatus.RUNNING
    methods: tuple[str, ...] = (ReturnMethod.HOME_PICK_UP, ReturnMethod.DROP_OFF_POINT)
    costs: str = "0"
    country: Country = Country.SERVED
    paid_before: PaidBefore = PaidBefore.NOTHING


def _line(quantity: int, reviews: str, method: str = _OPM, total: str = "", *, sold_out: bool = False) -> LineSpec:
    return LineSpec(quantity, reviews, method, "WRONG_SIZE_TOO_BIG", total, sold_out)


_NEW, _APPROVED = Stage.NO_LABEL, (_line(2, "AA"),)
_PARCEL = (ReturnMethod.DROP_OFF_POINT, ReturnMethod.DELIVERY_PICKUP)

SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        Scenario("approved_one", (_line(1, "A"),)),
        Scenario("approved_thirds", (_line(3, "AAA", total="10.00"),)),
        Scenario("label_needed_pickup", stage=_NEW, methods=(ReturnMethod.HOME_PICK_UP,)),
        Scenario("in_warehouse", (LineSpec(2), LineSpec(1))),
        Scenario("partially_reviewed", (_line(3, "AD"),)),
        Scenario("exchange_reviewed", (_line(2, "AA", _EXCHANGE),)),
        Scenario("declined", (_line(2, "DD"),)),
        Scenario("two_methods", (_line(1, "A"), _line(2, "AA", _GIFT))),
        Scenario("costs_smaller", (_line(2, "AA"), _line(1, "A", _GIFT)), costs="0.2"),
        Scenario("costs_larger", (_line(1, "A"),), costs="1.5"),
        Scenario("not_received", (LineSpec(2, reason=NOT_RECEIVED),), stage=_NEW, methods=("NO_RETURN_METHOD",)),
        Scenario("exchange_partially_reviewed", (_line(1, "A", _EXCHANGE), _line(2, "A", _EXCHANGE))),
        Scenario("exchange_out_of_stock", (_line(1, "A", _EXCHANGE, sold_out=True),)),
        Scenario("foreign_exact", _APPROVED, paid_before=PaidBefore.EXACT),
        Scenario("foreign_different", _APPROVED, paid_before=PaidBefore.DIFFERENT),
        Scenario("mixed_review", (_line(3, "ADM"), _line(1, "A"))),
        Scenario("missing", (_line(1, "M"),)),
        Scenario("label_needed_drop_off", stage=_NEW, methods=_PARCEL),
        Scenario("label_ready", stage=Stage.LABEL_READY),
        Scenario("collected", stage=Stage.COLLECTED),
        Scenario("in_store", stage=_NEW, methods=(ReturnMethod.IN_STORE, ReturnMethod.NO_RETURN_METHOD)),
        Scenario("on_hold", _APPROVED, status=ProcessStatus.ON_HOLD),
        Scenario("canceled", _APPROVED, status=ProcessStatus.CANCELED),
        Scenario("failed", _APPROVED, status=ProcessStatus.FAILED),
        Scenario("completed", _APPROVED, status=ProcessStatus.COMPLETED, paid_before=PaidBefore.HISTORY),
        Scenario("unknown_method", (_line(1, "A", "STORE_CREDIT_PLUS"),)),
        Scenario("carrier_ops", stage=_NEW, country=Country.BY_HAND),
        Scenario("label_canceled", stage=Stage.LABEL_CANCELED, methods=(ReturnMethod.DROP_OFF_POINT,)),
        Scenario("country_unserved", stage=_NEW, country=Country.UNSERVED),
        Scenario("label_pending", stage=Stage.LABEL_PENDING),
        Scenario("refund_and_exchange", (_line(1, "A"), _line(1, "A", _EXCHANGE))),
        Scenario("mixed_not_received", (_line(1, "A"), LineSpec(1, reason=NOT_RECEIVED))),
        Scenario("approved_two_of_three", (_line(3, "AA", total="10.01"),)),
        Scenario("unknown_status", _APPROVED, status="PAUSED_BY_AUDIT"),
    )
}


_VAT = {"EUR": Decimal(21), "SEK": Decimal(25)}
_REVIEWS = {"A": ("APPROVED", ""), "D": ("DECLINED", "worn"), "M": ("MISSING", "")}
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
    scenario: Scenario
    ids: Ids
    random: Random
    number: int
    turn: int

    @property
    def forgotten(self) -> bool:
        """Whether this is one that the shop's own REVER should have paid days ago and did not."""
        return self.shop.pays_itself_after is not None and self.number % _FORGETS_ONE_IN == 0


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
        shop = shops[(turn + place) % len(shops)]
        _add(_Seeding(sandbox, shop, scenarios[place], ids, random, number + 1, turn))


def _add(made: _Seeding) -> None:
    """Add one return with its parcel and with what others paid for it before."""
    sandbox, scenario, process = made.sandbox, made.scenario, _process(made)
    stored = StoredProcess(process, scenario.name, process, process.updated_at or sandbox.clock())
    if scenario.stage is not Stage.NO_LABEL:
        carrier = made.shop.settings.carriers[0]
        order = new_order(sandbox, process, carrier.provider, carrier.carrier, str(process.return_method))
        stored.orders = (order,)
        if scenario.stage is not Stage.LABEL_PENDING:
            sandbox.label_files[order.id] = label_of(order)
        parcel = parcel_of(order, _SHIPPING_STATUS[scenario.stage])
        stored.process = stored.earlier = process.model_copy(update={"logistics": (parcel,)})
    sandbox.add(stored)
    if scenario.paid_before:
        by = Actor.HISTORY if scenario.paid_before is PaidBefore.HISTORY else Actor.BACK_OFFICE
        for refund in refunds_due(stored.process, made.shop.timing):
            amount = _cents(refund.amount * 9 / 10) if scenario.paid_before is PaidBefore.DIFFERENT else refund.amount
            pay(sandbox, stored, refund.model_copy(update={"amount": amount}), by, completes=False)
        stored.earlier = stored.process
    elif any(line.reviews for line in scenario.lines) and not made.forgotten:
        pay_by_itself_later(sandbox, stored)


def _process(made: _Seeding) -> ReturnProcess:
    number, shop, scenario, now = made.number, made.shop, made.scenario, made.sandbox.clock()
    lines = tuple(_line_item(spec, made) for spec in scenario.lines)
    total = sum((line.total_price or Decimal(0) for line in lines), Decimal(0))
    person = shopper(number, made.random)
    method = scenario.methods[made.turn % len(scenario.methods)]
    shipped = _RETURN_STATUS.get(scenario.stage, ReturnStatus.STARTED)
    return ReturnProcess(
        rever_process_id=made.ids.new("retp"),
        rever_process_status=scenario.status,
        return_line_items=lines,
        return_status=ReturnStatus.COMPLETED if scenario.status == ProcessStatus.COMPLETED else shipped,
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
        pickup_ranges=("RANGE_8_TO_12",) if method == ReturnMethod.HOME_PICK_UP else ("NO_RANGE",),
        return_costs=_cents(total * Decimal(scenario.costs)),
        reviews=_reviews(made, lines),
        compensation=Compensation(refunds=()),
        logistics=(),
    )


def _line_item(spec: LineSpec, made: _Seeding) -> ReturnLineItem:
    """Return a line of the shop's goods as the spec wants it; one line in four was bought at 10 % off."""
    shop = made.shop
    product, price = shop.goods[made.random.choice([sku for sku in shop.goods if not sku.endswith(SOLD_OUT)])]
    subtotal = Decimal(spec.total) if spec.total else price * spec.quantity
    discounts = _cents(subtotal / 10) if not spec.total and made.random.random() < 0.25 else Decimal("0.00")
    total = subtotal - discounts
    vat = _VAT[shop.settings.currency]
    # In exchange, another size of the same product.
    size = SOLD_OUT if spec.sold_out else ("M" if product.variant_name == "L" else "L")
    other = shop.goods[f"{product.sku.rpartition('-')[0]}-{size}"][0]
    return ReturnLineItem(
        id=made.ids.new("retl"),
        return_reason=spec.reason,
        product=product,
        quantity=spec.quantity,
        unit_price=_cents(subtotal / spec.quantity),
        subtotal_price=_cents(subtotal),
        total_discounts=discounts,
        total_taxes=_cents(total * vat / (100 + vat)),
        total_price=_cents(total),
        currency=shop.settings.currency,
        compensation_method=spec.method,
        exchange_for=other if spec.method == CompensationMethod.EXCHANGE else None,
    )


def _reviews(made: _Seeding, lines: tuple[ReturnLineItem, ...]) -> tuple[Review, ...]:
    """Return one review per inspected unit, a minute apart.

    The last was three days ago, or just now where the shop's own REVER is still to pay.
    """
    last = made.sandbox.clock()
    if made.shop.pays_itself_after is None or made.forgotten:
        last -= timedelta(days=3, minutes=made.number)
    specs = zip(made.scenario.lines, lines, strict=True)
    found = [(line.id, *_REVIEWS[letter]) for spec, line in specs for letter in spec.reviews]
    return tuple(
        Review(
            line_item_id=line_id,
            status=status,
            reject_reason=reason,
            review_date=last - timedelta(minutes=len(found) - number),
            user="warehouse",
        )
        for number, (line_id, status, reason) in enumerate(found, start=1)
    )


def _country(where: Country, shop: Shop, method: str, random: Random) -> str:
    """Return the shopper's country: a served one is one to which a carrier comes for this return method."""
    if where is Country.UNSERVED:
        return _UNSERVED
    carriers = shop.settings.carriers
    if where is Country.BY_HAND:
        return next(carrier.countries[0] for carrier in carriers if carrier.provider == OPS)
    served = [c.countries for c in carriers if c.provider != OPS and method in c.return_methods]
    return random.choice(sorted({country for countries in served for country in countries}) or shop.countries)


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)
