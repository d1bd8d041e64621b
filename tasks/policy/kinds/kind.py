"""What a kind of effect must say. The protocol, the ledger and the holds ask it, and know no kind by name."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, ClassVar, Generic, TypeVar

from rever_api.models import ReturnProcess
from tasks.policy.decision import Decision
from tasks.policy.record import LABEL_KINDS, Intent, IntentKind, PaidSeen, Record
from tasks.policy.store import StoreRules

Due = TypeVar("Due")
"""What the rules say is due, from which an intent of the kind is made."""

Content = TypeVar("Content")
"""What the call says beyond the intent's own fields: the goods of an exchange, the carrier of a label."""

UnitKey = tuple[str, str, int]
"""A unit that an intent takes: key space, line id (empty where it is not about a line), number."""


class Side(StrEnum):
    """The two decisions about a return. What is asked about an effect stops its own side, and not the other."""

    MONEY = "money"
    LABEL = "label"


# The verdicts of `Kind.judge`: whether an effect that was sent is shown by REVER.


@dataclass(frozen=True, slots=True)
class Seen:
    """The effect is at REVER: the intent is done, by this evidence. `paid` says how much of a refund REVER has paid."""

    evidence: Mapping[str, str]
    paid: PaidSeen | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class NotYet:
    """Nothing can be said yet; look again at `look_at`."""

    look_at: datetime
    why: str


@dataclass(frozen=True, slots=True)
class Held:
    """A person must look: REVER does not show the effect after all this time, or something else is there instead."""

    why: str
    evidence: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


Verdict = Seen | NotYet | Held


@dataclass(frozen=True, slots=True)
class FurtherStep:
    """A step that is told in the audit beside `done`: its name there, who wanted it (empty: no person), on what."""

    event: str
    by: str
    evidence: Mapping[str, str]


class Kind(ABC, Generic[Due, Content]):
    """One kind of effect at REVER. Everything here is pure: no clock, no database, no call."""

    name: ClassVar[IntentKind]
    """Its name in the ledger."""
    noun: ClassVar[str]
    """What it is called in messages to people, as in "the outcome of the refund"."""
    pays: ClassVar[bool] = False
    """Whether its `amount` is money that this desk sends to the shopper."""
    beside: ClassVar[frozenset[IntentKind]] = frozenset()
    """The kinds of which an intent may be open while one of this kind is begun."""
    of_order: ClassVar[bool] = False
    """Whether it is about an order, of which there is no return yet: then that is read before the call."""
    again: ClassVar[str] = "sends it once more"
    """What `send_again` does with one of unknown outcome that REVER does not show."""

    @property
    def side(self) -> Side:
        """The side of the return that a question about it stops; reads that differ stop the money's side alone."""
        return Side.LABEL if self.name in LABEL_KINDS else Side.MONEY

    def key(self, intent: Intent) -> list[UnitKey]:
        """The units it takes. No two live intents may take the same unit: that is what makes it happen once.

        By default the effect itself, as the `generation`-th of its kind for the return.
        """
        return [(self.name.value, "", intent.generation)]

    @abstractmethod
    def intent(self, due: Due) -> Intent:
        """Return the intent of what is due, `intended`, still without an id and times."""

    @abstractmethod
    def content(self, due: Due) -> Content:
        """Return what the call says beyond the intent."""

    @abstractmethod
    def stored(self, content: Content) -> dict[str, Any]:
        """Return the content for the intent's `details`: JSON values only, no personal data."""

    @abstractmethod
    def restored(self, intent: Intent, details: Mapping[str, Any], rule: str, why: str) -> Content:
        """Return the content that `stored` wrote down."""

    def further_step(self, content: Content) -> FurtherStep | None:
        """What comes of it besides once it is done, for a step of its own in the audit; by default nothing."""
        return None

    def shopper_email(self, process: ReturnProcess, content: Content) -> str:
        """The e-mail under which REVER's words about the effect are found for erasure; empty where there is none."""
        return process.shopper.email if process.shopper else ""

    @abstractmethod
    def decide(
        self, process: ReturnProcess, rules: StoreRules, record: Record, now: datetime, content: Content
    ) -> Decision:
        """Decide by the rules that ask for effects of this kind; what `content` asks for where somebody asked."""

    @abstractmethod
    def covers(self, decision: Decision, intent: Intent, content: Content) -> bool:
        """Say whether a decision taken on `record.without(intent.id)` still contains exactly this intent."""

    def knew(self, intent: Intent, done: Sequence[Any]) -> dict[str, Any]:
        """Return what the ledger adds to the snapshot: `ledger_knew`, how many such effects it knows as done.

        `done` are the intents of this kind that are done or done by hand for the return (kind, state, method, amount,
        currency, generation).
        """
        return {"ledger_knew": sum(self.alike(intent, row) for row in done)}

    def alike(self, intent: Intent, row: Any) -> bool:
        """Whether REVER would show a done effect of this kind just as it shows this one."""
        return True

    @abstractmethod
    def snapshot(self, intent: Intent, content: Content, process: ReturnProcess) -> dict[str, Any]:
        """Count what `look` compares, just before the call: JSON values only, no personal data.

        The ledger adds what `knew` returns when the intent is marked `sent`.
        """

    @abstractmethod
    def look(
        self, intent: Intent, before: Mapping[str, Any], process: ReturnProcess, now: datetime
    ) -> Seen | Held | str:
        """Look for the effect in a fresh read: it is there, something else is, or why neither can be said yet."""

    def judge(
        self, intent: Intent, before: Mapping[str, Any], process: ReturnProcess, *, now: datetime, settle_at: datetime
    ) -> Verdict:
        """Judge an open intent by a fresh read of its process and the snapshot taken before it was sent.

        Something else than what was sent is held at once; nothing at all, or a read that does not tell, only from
        `settle_at` on.
        """
        found = self.look(intent, before, process, now)
        if not isinstance(found, str):
            return found
        if now < settle_at:
            return NotYet(settle_at, found)
        waited = f"{found}, {_minutes(settle_at, intent)}; whether it was done is not known"
        return Held(waited, {"snapshot": str(dict(before)), "settle_at": settle_at.isoformat(timespec="seconds")})


def count(before: Mapping[str, Any], name: str) -> int:
    """A count of the snapshot, 0 where it is not there."""
    found = before.get(name)
    return found if isinstance(found, int) else 0


def _minutes(settle_at: datetime, intent: Intent) -> str:
    """How long was waited, in words."""
    if intent.sent_at is None:
        return "though it was waited for long enough"
    minutes = (settle_at - intent.sent_at).total_seconds() / 60
    return f"though {minutes:.0f} minutes were waited" if minutes >= 1 else "though it was waited for long enough"
