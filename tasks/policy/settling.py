"""Whether an effect that was sent is to be seen at REVER: the counts before it, and the judgement after it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from rever_api.models import ReturnProcess
from tasks.policy.decision import ExchangeDueItem
from tasks.policy.record import Intent, IntentKind


@dataclass(frozen=True, slots=True)
class Seen:
    """The effect is at REVER: the intent is done, by this evidence."""

    evidence: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class NotYet:
    """Nothing can be said yet; look again at `look_at`."""

    look_at: datetime
    why: str


@dataclass(frozen=True, slots=True)
class Held:
    """A person must look: the effect is not to be seen after all this time, or something else is there instead."""

    why: str
    evidence: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


Verdict = Seen | NotYet | Held


def snapshot(
    kind: IntentKind,
    method: str,
    amount: Decimal,
    currency: str,
    process: ReturnProcess,
    exchange_items: tuple[ExchangeDueItem, ...] = (),
) -> dict[str, Any]:
    """Count what `judge` compares, just before the call: JSON values only, no personal data.

    The ledger adds `ledger_knew`, the number of like intents it knew as done when this one was marked `sent`.
    """
    raise NotImplementedError


def judge(
    intent: Intent, snapshot: Mapping[str, Any], process: ReturnProcess, *, now: datetime, settle_at: datetime
) -> Verdict:
    """Judge an open intent by a fresh read of its process and the snapshot taken before it was sent."""
    raise NotImplementedError
