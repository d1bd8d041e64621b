"""A store as the rules see it: what this desk may set for it (the policy), and what REVER says of it."""

import re
from dataclasses import dataclass, field
from datetime import UTC, timedelta, tzinfo
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from rever_api.models import CompensationMethod, EcommerceSettings, PickupRange, ShippingStatus, Warehouse
from tasks.policy.country import COUNTRIES, country_code
from tasks.policy.currencies import CURRENCIES
from tasks.policy.measures import SIZE, WEIGHT, read_size, read_weight

if TYPE_CHECKING:
    from tasks.policy.merchant_rules import MerchantRule
    from tasks.policy.side_facts import SideFacts

_AMOUNT = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,4})?")


def amount(value: Any) -> Any:
    """An amount: `1_000`, full-width digits, `1e2` and blanks around it are none, though Python reads them."""
    if isinstance(value, bool) or (isinstance(value, str) and not _AMOUNT.fullmatch(value)):
        msg = "write an amount in plain digits, such as 24.00"
        raise ValueError(msg)
    return Decimal(str(value)) if isinstance(value, str | int | float) else value


def not_negative(cap: Decimal) -> Decimal:
    """Refuse an amount that nothing can meet."""
    if not cap.is_finite() or cap < 0:
        msg = "an amount of 0 or more"
        raise ValueError(msg)
    return cap


_IN_THE_FILE = {
    "anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": r"^[0-9]{1,15}(\.[0-9]{1,4})?$"}]
}

Cap = Annotated[Decimal, BeforeValidator(amount), AfterValidator(not_negative), WithJsonSchema(_IN_THE_FILE)]
"""An amount of money in the policy file."""


# What the rules are told about a store: REVER's settings for it, and this desk's own.


REFUND_METHODS = frozenset(CompensationMethod) - {CompensationMethod.EXCHANGE}
"""Compensation methods that are paid by issueRefund."""


def _currency(code: str) -> str:
    if code not in CURRENCIES:
        msg = "the three capital letters of a currency that there is, such as EUR"
        raise ValueError(msg)
    return code


def provider_and_carrier(name: str) -> str:
    """Refuse what no carrier of a store's settings can be called: what is said of it would do nothing."""
    provider, slash, carrier = name.partition("/")
    if not (provider and slash and carrier) or name != name.strip():
        msg = "PROVIDER/CARRIER, such as SENDCLOUD/DHL, without blanks around it"
        raise ValueError(msg)
    return name


def _country(code: str) -> str:
    """Refuse what is no country's code: no address is ever of it. Some are written by another (UK is GB)."""
    if code not in COUNTRIES:
        other = country_code(code) if len(code) == 2 and code.isupper() else ""
        msg = other or "a country's two capital letters, such as ES"
        raise ValueError(msg)
    return code


def _sku(sku: str) -> str:
    if not sku or sku != sku.strip():
        msg = "a SKU, without blanks around it"
        raise ValueError(msg)
    return sku


def _out_of_stock(method: str) -> str:
    """Refuse a fallback that is no compensation method paid by a refund."""
    if method != "hold" and method not in REFUND_METHODS:
        msg = f"hold, or one of {', '.join(sorted(REFUND_METHODS))}"
        raise ValueError(msg)
    return method


CurrencyCode = Annotated[str, AfterValidator(_currency), Field(json_schema_extra={"pattern": "^[A-Z]{3}$"})]
CarrierName = Annotated[str, AfterValidator(provider_and_carrier), Field(json_schema_extra={"pattern": "^[^/]+/.+$"})]
OutOfStock = Annotated[
    str, AfterValidator(_out_of_stock), Field(json_schema_extra={"enum": ["hold", *sorted(REFUND_METHODS)]})
]


class RefundsBy(StrEnum):
    """Who pays: this desk, REVER itself after the review, or nobody has said."""

    US = "us"
    REVER = "rever"
    UNSTATED = "unstated"


class NotReceived(StrEnum):
    """What becomes of a line that never reached the shopper and so cannot be inspected."""

    APPROVED = "approved"
    HOLD = "hold"


class Guards(BaseModel):
    """Caps outside the rules, per currency where they are money. Empty or null: no cap. A guard that trips holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_refund: dict[CurrencyCode, Cap] = Field(
        default_factory=dict,
        description="Currency -> the most one refund may be.",
        json_schema_extra={"additionalProperties": False},
    )
    max_per_day: dict[CurrencyCode, Cap] = Field(
        default_factory=dict,
        description="Currency -> the most a store may refund on one of its own days.",
        json_schema_extra={"additionalProperties": False},
    )
    max_refunds_per_shopper: int | None = Field(None, ge=1, description="Refunds to one shopper within the window.")
    shopper_window_days: int = Field(30, ge=1, le=3650, description="Days that the window of a shopper spans.")


MAX_REFUND = "guard:max_refund"
MAX_PER_DAY = "guard:max_per_day"
MAX_PER_SHOPPER = "guard:max_refunds_per_shopper"
SHOPPER_UNKNOWN = "guard:shopper_unknown"
"""The rules of the holds that these caps open."""


class FactTables(BaseModel):
    """The tables of what REVER does not tell: CSV files, each by its path from the policy file's folder on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    products: str = Field("", description="The table of products, found by their SKU. Empty: none.")
    orders: str = Field("", description="The table of orders, found by order_id or order_name. Empty: none.")


class ParcelLimits(BaseModel):
    """After how many days without a change a parcel counts as stopped, by where it stands."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    label_unused_days: int = Field(21, ge=1, le=100, description="The label is there, and the carrier has no parcel.")
    on_the_way_days: int = Field(10, ge=1, le=100, description="The carrier has the parcel, and it has not arrived.")

    def of(self, status: str) -> timedelta:
        """The time for a parcel of this status."""
        return timedelta(days=self.on_the_way_days if status == ShippingStatus.COLLECTED else self.label_unused_days)


def _weight(value: Any) -> int:
    """A weight is written with its unit."""
    return read_weight(value if isinstance(value, str) else "")


def _size(value: Any) -> tuple[int, int, int]:
    """A size is written with its unit."""
    return read_size(value if isinstance(value, str) else "")


def _slot(name: str) -> str:
    """Refuse what REVER does not know as hours of a pickup."""
    if name not in _SLOTS:
        msg = f"one of {', '.join(_SLOTS)}"
        raise ValueError(msg)
    return name


_SLOTS = tuple(str(each) for each in PickupRange if each is not PickupRange.NO_RANGE)

WeightLimit = Annotated[
    int, BeforeValidator(_weight), WithJsonSchema({"type": "string", "pattern": f"^{WEIGHT.pattern}$"})
]
"""A weight in the policy file, as grams."""
SizeLimit = Annotated[
    tuple[int, int, int], BeforeValidator(_size), WithJsonSchema({"type": "string", "pattern": f"^{SIZE.pattern}$"})
]
"""A size in the policy file, as millimetres."""
Slot = Annotated[str, AfterValidator(_slot), Field(json_schema_extra={"enum": list(_SLOTS)})]
CountryCode = Annotated[str, AfterValidator(_country), Field(json_schema_extra={"pattern": "^[A-Z]{2}$"})]


class DaysOff(StrEnum):
    """What becomes of a pickup whose next possible day is one on which the carrier may not come."""

    ORDER = "order"
    WAIT = "wait"


class CarrierLimits(BaseModel):
    """What a carrier takes, as its contract says. What is not set has no limit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_weight: WeightLimit | None = Field(None, description="The heaviest parcel, as 20 kg.")
    max_size: SizeLimit | None = Field(None, description="The largest parcel, as 120x60x60 cm.")
    cost: Cap | None = Field(None, description="What one label costs, in `currency`: the cheapest comes first.")
    currency: CurrencyCode | None = Field(None, description="The currency of the cost.")
    not_in: tuple[CountryCode, ...] = Field((), description="Countries (ES) from which it is not asked to bring goods.")
    days_off: DaysOff | None = Field(None, description="As `days_off` of the store, for this carrier alone.")

    @model_validator(mode="after")
    def _cost_has_a_currency(self) -> Self:
        """An amount without its currency cannot be compared."""
        if (self.cost is None) != (self.currency is None):
            msg = "cost and currency together, or neither"
            raise ValueError(msg)
        return self


class ParcelSplit(BaseModel):
    """When the goods of a return travel in several parcels. Nothing set: all in one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_weight: WeightLimit | None = Field(None, description="The heaviest that one parcel may be, as 15 kg.")
    max_units: int | None = Field(None, ge=1, le=10_000, description="The most units in one parcel.")
    alone: tuple[Annotated[str, AfterValidator(_sku)], ...] = Field(
        (), description="SKUs of which each unit travels in a parcel of its own."
    )


class LabelReissue(BaseModel):
    """When a label that nobody used is replaced by a new one, and how often. By default never."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    unused_days: int | None = Field(
        None, ge=1, le=100, description="A label that is there for so many days, unused, is replaced. Empty: never."
    )
    expire_days: int | None = Field(
        None, ge=1, le=365, description="Labels expire after so many days; an unused one is replaced. Empty: never."
    )
    at_most: int = Field(1, ge=1, le=10, description="New labels a return gets in place of others, at most.")


class LabelPolicy(BaseModel):
    """How the labels of a store are chosen."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    carriers: dict[CarrierName, CarrierLimits] = Field(
        default_factory=dict,
        description="`PROVIDER/CARRIER` -> what it takes.",
        json_schema_extra={"additionalProperties": False},
    )
    slots: tuple[Slot, ...] = Field((), description="Hours of a pickup, where the shopper has no wish.")
    lead_days: int = Field(1, ge=0, le=14, description="After how many days a carrier comes that is ordered today.")
    days_off: DaysOff = Field(
        DaysOff.ORDER, description="A pickup whose next possible day is at a weekend or a bank holiday."
    )
    parcels: ParcelSplit = Field(ParcelSplit(), description="When a return travels in several parcels.")
    reissue: LabelReissue = Field(LabelReissue(), description="When an unused label is replaced by a new one.")


class StaleLimits(BaseModel):
    """After how many days a return that stands still is listed and told of, by what it waits for. A label that is not
    used and a parcel that does not arrive have the limits of `parcels`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    no_label_days: int = Field(2, ge=1, le=100, description="Started, and there is no label.")
    not_inspected_days: int = Field(5, ge=1, le=100, description="Arrived, and not inspected, or not wholly.")
    not_paid_days: int = Field(3, ge=1, le=100, description="Approved, and not paid.")
    on_its_way_days: int = Field(5, ge=1, le=100, description="REVER accepted the refund and has not paid it.")
    hold_days: int = Field(2, ge=1, le=100, description="A hold is open, and nobody has answered it.")


class StorePolicy(BaseModel):
    """The desk's own rules for a store; the policy file's `default` and `stores`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    not_received: NotReceived = Field(NotReceived.APPROVED, description="A line with reason NOT_RECEIVED.")
    out_of_stock: OutOfStock = Field("hold", description="`hold`, or the compensation method to refund by instead.")
    rever_pays_within_hours: int = Field(48, ge=1, le=8760, description="With refunds_by=rever: later than this holds.")
    label_carriers: tuple[CarrierName, ...] = Field(
        (), description="Preferred `PROVIDER/CARRIER`, first that fits is taken."
    )
    labels: LabelPolicy = Field(LabelPolicy(), description="What carriers take, pickups, and several parcels.")
    currencies: tuple[CurrencyCode, ...] = Field(
        (), description="Currencies that the store sells in beside its own at REVER; a refund in any other holds."
    )
    guards: Guards = Field(Guards(), description="Caps; one that trips holds the return for a person.")
    facts: FactTables = Field(FactTables(), description="Tables of what the rules ask for and REVER does not tell.")
    parcels: ParcelLimits = Field(ParcelLimits(), description="When a parcel that does not move counts as stopped.")
    stale: StaleLimits = Field(StaleLimits(), description="When a return that stands still is listed and told of.")


@dataclass(frozen=True, slots=True)
class StoreRules:
    """All that decides for one store. `look_again` is the time to the next look at a return that waits,
    `on_its_way_after` how long REVER may take to pay a refund that it has accepted. `merchant_rules` are the policy
    file's own rules for the store, in their order; their days and hours are those of `zone`. `side` is what they ask
    for and REVER does not tell, where it was gathered. `warehouses` are the store's, where they were read: only a label
    asks for them.
    """

    store: str
    settings: EcommerceSettings
    refunds_by: RefundsBy
    policy: StorePolicy = field(default_factory=StorePolicy)
    settle_after: timedelta = timedelta(minutes=15)
    look_again: timedelta = timedelta(minutes=10)
    on_its_way_after: timedelta = timedelta(days=7)
    omits_empty_fields: bool = False
    merchant_rules: "tuple[MerchantRule, ...]" = ()
    zone: tzinfo = UTC
    side: "SideFacts | None" = field(default=None, repr=False, compare=False)
    warehouses: tuple[Warehouse, ...] = field(default=(), repr=False, compare=False)
