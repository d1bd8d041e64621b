"""The books: every effect that was really carried out, in order, whoever asked for it."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from rever_api.models import LineQuantity, ReturnProcess


class Actor(StrEnum):
    """Who caused an effect. All but API are foreign to whoever uses the API."""

    API = "api"
    REVER = "rever"
    BACK_OFFICE = "back_office"
    WAREHOUSE = "warehouse"
    SHOPPER = "shopper"
    HISTORY = "history"


@dataclass(frozen=True, slots=True)
class Effect:
    """One effect. `amount` is None where no money moved. `before` is the process just before it, for the auditor."""

    number: int
    at: datetime
    process_id: str
    store: str
    operation: str
    by: Actor
    status_before: str
    amount: Decimal | None = None
    currency: str = ""
    type: str = ""
    items: tuple[LineQuantity, ...] = ()
    reference: str = ""
    before: ReturnProcess | None = field(default=None, repr=False)

    @property
    def foreign(self) -> bool:
        """Whether someone else than a user of the API did it."""
        return self.by is not Actor.API

    def as_json(self) -> dict[str, Any]:
        """Return the effect without the process, which has personal data in it."""
        return {
            "number": self.number,
            "at": self.at.isoformat(),
            "process_id": self.process_id,
            "store": self.store,
            "operation": self.operation,
            "by": self.by.value,
            "foreign": self.foreign,
            "amount": None if self.amount is None else str(self.amount),
            "currency": self.currency,
            "type": self.type,
            "items": [item.model_dump() for item in self.items],
            "reference": self.reference,
            "status_before": self.status_before,
        }


@dataclass(slots=True)
class Books:
    """Append-only. Numbers start at 1 and have no gaps."""

    _effects: list[Effect] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self._effects)

    def __iter__(self) -> Iterator[Effect]:
        return iter(self.effects)

    @property
    def effects(self) -> tuple[Effect, ...]:
        """All effects in the order in which they were carried out."""
        return tuple(self._effects)

    def of(self, process_id: str, operation: str = "") -> tuple[Effect, ...]:
        """Return the effects of one process, of one operation where it is named."""
        return tuple(e for e in self.effects if e.process_id == process_id and operation in {"", e.operation})

    def write(self, **entry: Any) -> Effect:
        """Append an effect and return it; `number` is given here."""
        effect = Effect(number=len(self._effects) + 1, **entry)
        self._effects.append(effect)
        return effect

    def paid(self, store: str = "", by: Actor = Actor.API) -> dict[str, Decimal]:
        """Return currency -> money paid by `by`, in one store where it is named."""
        totals: dict[str, Decimal] = {}
        for effect in self.effects:
            if effect.amount is not None and effect.by is by and store in {"", effect.store}:
                totals[effect.currency] = totals.get(effect.currency, Decimal(0)) + effect.amount
        return dict(sorted(totals.items()))

    def counts(self) -> dict[str, int]:
        """Return operation -> number of effects that came through the API."""
        return dict(sorted(Counter(e.operation for e in self.effects if not e.foreign).items()))

    def as_json(self) -> dict[str, Any]:
        """Return all of it: `effects`, `counts`, `paid` (through the API) and `paid_by_others`, amounts as strings."""
        others = {actor.value: _strings(self.paid(by=actor)) for actor in Actor if actor is not Actor.API}
        return {
            "effects": [effect.as_json() for effect in self.effects],
            "counts": self.counts(),
            "paid": _strings(self.paid()),
            "paid_by_others": {actor: totals for actor, totals in others.items() if totals},
        }


def _strings(totals: dict[str, Decimal]) -> dict[str, str]:
    return {currency: str(amount) for currency, amount in totals.items()}
