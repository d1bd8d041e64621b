"""Which carrier takes a parcel, and to which warehouse: every carrier is asked in order, and says why not. Pure.

The order: the carrier that a rule of the merchant's names, the policy's `label_carriers`, then the others, the cheapest
first where the policy says what a label costs. A provider that makes labels by hand comes last, unless it is named.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from rever_api.models import Carrier, EcommerceSettings, Warehouse
from tasks.policy.conditions import Truth
from tasks.policy.country import country_code
from tasks.policy.measures import size_in_words, weight_in_words
from tasks.policy.money import shown
from tasks.policy.packing import Measured
from tasks.policy.return_facts import Unknown
from tasks.policy.store import CarrierLimits, LabelPolicy

BY_HAND = "OPS"
"""The provider for which REVER's own people make labels by hand; asked for one, REVER says so (501)."""

_NO_LIMITS = CarrierLimits()


@dataclass(frozen=True, slots=True)
class Wanted:
    """The label that is looked for: from which country, by which return method, for a parcel of which measures.

    `carrier` is the `PROVIDER/CARRIER` that a rule of the merchant's names, empty where none does.
    """

    country: str
    method: str
    parcel: Measured
    carrier: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A carrier of the store, and whether it takes the parcel; `why` says why not, or what is not known."""

    carrier: Carrier
    takes: Truth
    why: str
    limits: CarrierLimits

    @property
    def name(self) -> str:
        """`PROVIDER/CARRIER`."""
        return carrier_name(self.carrier)

    @property
    def in_words(self) -> str:
        """One line for a person."""
        return f"{self.name}: {self.said}"

    @property
    def said(self) -> str:
        """Whether it takes the parcel, for what, and why not."""
        if self.takes is not Truth.YES:
            return self.why
        limits = self.limits
        cost = "" if limits.cost is None or limits.currency is None else f", for {shown(limits.cost, limits.currency)}"
        return f"takes it{cost}"


@dataclass(frozen=True, slots=True)
class Choice:
    """All candidates in the order in which they are asked."""

    candidates: tuple[Candidate, ...]

    @property
    def chosen(self) -> Candidate | None:
        """The first that is sure to take it."""
        return next((it for it in self.candidates if it.takes is Truth.YES), None)

    @property
    def passed_over(self) -> tuple[Candidate, ...]:
        """Those that were asked before the chosen one; all of them where none was."""
        found = self.chosen
        return self.candidates if found is None else self.candidates[: self.candidates.index(found)]

    @property
    def unsure(self) -> bool:
        """Whether none is sure to take it, and one might."""
        return self.chosen is None and any(it.takes is Truth.UNKNOWN for it in self.candidates)


def choose(
    settings: EcommerceSettings, policy: LabelPolicy, preferred: Sequence[str], wanted: Wanted, refused: frozenset[str]
) -> Choice:
    """Ask every carrier of the store, and say so where a rule names one that it does not have. `refused` are those that
    REVER does not combine with this return.
    """
    found = []
    for carrier in settings.carriers:
        limits = policy.carriers.get(carrier_name(carrier), _NO_LIMITS)
        takes, why = _answer(carrier, limits, wanted, refused)
        found.append(Candidate(carrier, takes, why, limits))

    if wanted.carrier and wanted.carrier not in {it.name for it in found}:
        provider, _, name = wanted.carrier.partition("/")
        why = "a rule names it, and the store's settings at REVER do not"
        found.append(Candidate(Carrier(provider=provider, carrier=name), Truth.NO, why, _NO_LIMITS))
    first = (wanted.carrier, *preferred)

    def place(candidate: Candidate) -> tuple[int, bool, bool, Decimal]:
        named = first.index(candidate.name) if candidate.name in first else len(first)
        cost = candidate.limits.cost if candidate.limits.currency == settings.currency else None
        by_hand = candidate.carrier.provider == BY_HAND and named == len(first)
        return named, by_hand, cost is None, cost or Decimal(0)

    return Choice(tuple(sorted(found, key=place)))


def in_words(candidates: Iterable[Candidate]) -> str:
    """What these said, for a person: those that said the same together."""
    said: dict[str, list[str]] = {}
    for it in candidates:
        said.setdefault(it.said, []).append(it.name)
    return "; ".join(f"{', '.join(names)}: {words}" for words, names in said.items())


def carrier_name(carrier: Carrier) -> str:
    """`PROVIDER/CARRIER`."""
    return f"{carrier.provider}/{carrier.carrier}"


def _answer(carrier: Carrier, limits: CarrierLimits, wanted: Wanted, refused: frozenset[str]) -> tuple[Truth, str]:
    """Whether a carrier takes the parcel, and why not. An empty list of REVER's serves all."""
    country, method = wanted.country, wanted.method
    if not (carrier.provider and carrier.carrier):
        return Truth.NO, "no name in the store's settings at REVER"
    if carrier.countries and country not in map(country_code, carrier.countries):
        return Truth.NO, f"{country} is not served"
    if carrier.return_methods and method not in carrier.return_methods:
        return Truth.NO, f"{method} is not done"
    if country in limits.not_in:
        return Truth.NO, f"not asked in {country} by the policy file"
    if carrier_name(carrier) in refused:
        return Truth.NO, "refused by REVER, for which provider, carrier and return method do not go together"
    return min(_weight(limits, wanted.parcel), _size(limits, wanted.parcel), key=lambda answer: answer[0])


_YES = (Truth.YES, "")


def _weight(limits: CarrierLimits, parcel: Measured) -> tuple[Truth, str]:
    if limits.max_weight is None:
        return _YES
    most = f"{weight_in_words(limits.max_weight)} at most"
    if not isinstance(parcel.weight, int):
        return Truth.UNKNOWN, f"{most}, and it is not known: {_needs(parcel.weight)}"
    if parcel.weight > limits.max_weight:
        return Truth.NO, f"{most}, and the parcel weighs {weight_in_words(parcel.weight)}"
    return _YES


def _size(limits: CarrierLimits, parcel: Measured) -> tuple[Truth, str]:
    """By its sides, and by the volume of all units together: what fits by both may still not fit as it is packed."""
    if limits.max_size is None:
        return _YES
    most = f"{size_in_words(limits.max_size)} at most"
    if not isinstance(parcel.longest, tuple) or not isinstance(parcel.volume, int):
        return Truth.UNKNOWN, f"{most}, and it is not known: {_needs(parcel.longest)}"
    if any(side > limit for side, limit in zip(parcel.longest, limits.max_size, strict=True)):
        return Truth.NO, f"{most}, and the parcel is {size_in_words(parcel.longest)} or more"
    first, second, third = limits.max_size
    if parcel.volume > first * second * third:
        return Truth.NO, f"{most}, and its goods together have more volume"
    return _YES


def _needs(fact: object) -> str:
    return fact.needs if isinstance(fact, Unknown) else ""


# To which warehouse.


def named_warehouse(warehouses: Iterable[Warehouse], name: str) -> Warehouse | None:
    """The warehouse of this id or name; capitals in the name do not count."""
    wanted = name.casefold()
    return next((house for house in warehouses if name == house.id or wanted == house.name.casefold()), None)


def warehouse_for(warehouses: Iterable[Warehouse], country: str) -> Warehouse | None:
    """Choose the warehouse goods go back to: one that serves the country, else the default, else the only one.

    None where none of these is there, and where order tags decide ("dynamic warehouses"), which this desk does not see:
    then the order names no warehouse, and REVER chooses.
    """
    known = tuple(warehouses)
    if any(house.tags for house in known):
        return None
    wanted = country_code(country)
    serving = [house for house in known if wanted and wanted in map(country_code, house.countries)]
    defaults = [house for house in known if house.is_default]
    only = known if len(known) == 1 else ()
    return next(iter((*serving, *defaults, *only)), None)
