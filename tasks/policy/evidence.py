"""Whether an effect that was sent is shown by REVER: the verdicts of `Kind.judge`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from tasks.policy.record import PaidSeen


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
    """A person must look: the effect is not to be seen after all this time, or something else is there instead."""

    why: str
    evidence: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


Verdict = Seen | NotYet | Held
