"""Every state a return can be in, as a table: what its lines are, how far it has come, what was done about it."""

from dataclasses import dataclass
from enum import StrEnum

from rever_api.models import NOT_RECEIVED, CompensationMethod, ProcessStatus, ReturnMethod

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
    """Where the shopper lives: where a carrier comes, where a person must order one, where nobody comes."""

    SERVED = "served"
    BY_HAND = "by_hand"
    UNSERVED = "unserved"


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
    """A state of a return. `costs` is a share of the refund; `foreign` is what the back office paid already.

    `methods` are taken in turn by the returns of this scenario.
    """

    name: str
    lines: tuple[LineSpec, ...] = (LineSpec(),)
    stage: Stage = Stage.IN_WAREHOUSE
    status: str = ProcessStatus.RUNNING
    methods: tuple[str, ...] = (ReturnMethod.HOME_PICK_UP, ReturnMethod.DROP_OFF_POINT)
    costs: str = "0"
    country: Country = Country.SERVED
    foreign: str = ""

    @property
    def reviewed(self) -> bool:
        """Whether anything of it was inspected."""
        return any(line.reviews for line in self.lines)


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
        Scenario("foreign_exact", _APPROVED, foreign="exact"),
        Scenario("foreign_different", _APPROVED, foreign="different"),
        Scenario("mixed_review", (_line(3, "ADM"), _line(1, "A"))),
        Scenario("missing", (_line(1, "M"),)),
        Scenario("label_needed_drop_off", stage=_NEW, methods=_PARCEL),
        Scenario("label_ready", stage=Stage.LABEL_READY),
        Scenario("collected", stage=Stage.COLLECTED),
        Scenario("in_store", stage=_NEW, methods=(ReturnMethod.IN_STORE, ReturnMethod.NO_RETURN_METHOD)),
        Scenario("on_hold", _APPROVED, status=ProcessStatus.ON_HOLD),
        Scenario("canceled", _APPROVED, status=ProcessStatus.CANCELED),
        Scenario("failed", _APPROVED, status=ProcessStatus.FAILED),
        Scenario("completed", _APPROVED, status=ProcessStatus.COMPLETED, foreign="history"),
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
