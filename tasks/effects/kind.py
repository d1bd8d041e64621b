"""What a kind of effect must say to be carried out: its rules and evidence (`tasks.policy.kinds`), and its one call."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rever_api.limits import AsyncSlot as Slot
from rever_api.models import ReturnProcess
from tasks.desk import Desk
from tasks.ledger import Claim
from tasks.policy.kinds import Kind
from tasks.policy.record import PaidSeen


@dataclass(frozen=True, slots=True)
class Confirmed:
    """REVER's answer that an effect is done: the evidence, and of a refund how much REVER says is paid of it."""

    evidence: Mapping[str, str]
    paid: PaidSeen | None = None


Send = Callable[[Desk, Claim, ReturnProcess, Slot], Awaitable[Confirmed]]
"""The one call of an effect, made only by `effects.perform`. Returns once it was done; raises a `ReverError`."""


@dataclass(frozen=True, slots=True)
class Effect:
    """A kind of effect with its call."""

    kind: Kind[Any, Any]
    send: Send
